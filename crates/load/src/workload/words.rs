//! The vocabulary of synthetic prompts: common English, most of which tokenizers have as one token each.

use crate::tokens::Tokens;

const COMMON: &str = "\
    time year people way day man thing woman life child world school state family student group country problem hand part \
    place case week company system program question work government number night point home water room mother area money \
    story fact month lot right study book eye job word business issue side kind head house service friend father power \
    hour game line end member law car city community name president team minute idea kid body information back parent face \
    others level office door health person art war history party result change morning reason research girl guy moment air \
    teacher force education foot boy age policy music market sense nation plan college interest death experience effect \
    use class control care field development role effort rate heart drug show leader light voice wife police mind price \
    report decision son view relationship town road arm difference value building action season society tax director \
    position player record paper space ground form event official matter center couple site project activity star table \
    need court oil situation cost industry figure street image phone data picture practice piece land product doctor wall \
    patient worker news test movie north love support technology step baby computer type attention film tree source \
    organization hair look window culture chance brother energy period course summer plant opportunity term letter \
    condition choice rule daughter south husband floor campaign material population call economy hospital church risk fire \
    future bank west sport board subject officer rest behavior performance fight top goal second bed order author blood \
    agency nature color store sound movement page race concern series language response animal factor decade article east \
    artist scene stock career treatment approach size dog fund media sign thought list individual quality pressure answer \
    resource meeting disease success cup amount ability staff character growth loss degree attack region television box \
    training trade deal election feeling standard bill message analysis benefit sex lawyer section glass skill sister \
    professor operation crime stage authority design sort knowledge gun station strategy truth song example environment \
    leg dark purpose note management measure bar simple clear strong free full long short high low small large new old \
    good great early young important public able best better big black white red blue green open close hard easy late real \
    local sure hot cold warm deep wide fast slow rich poor wild quick bright quiet heavy soft fresh clean dry wet sharp \
    flat round thick thin empty ready strange common famous certain possible whole single double final main major recent \
    private past natural legal medical human social national current special general total central similar foreign modern \
    serious popular basic various likely entire left across against along among around before behind below beneath beside \
    between beyond during except inside near outside over since through toward under until upon within without about after \
    again also always another because become begin believe bring build buy carry catch cause come consider continue create \
    cut decide describe develop die draw drive eat expect explain fall feel find follow forget get give grow hear help \
    hold hope include increase keep kill know lay lead learn leave let lie like listen live lose make mean meet move offer \
    pay play produce provide pull push put raise reach read receive remember remove require return ride ring rise run save \
    say see seem sell send serve set shake shoot sing sit sleep speak spend stand start stay stop suggest take talk teach \
    tell think throw touch travel try turn understand wait walk want watch wear win wonder write";

/// The words that are one token each after a space; all words without a tokenizer, or with one that has few of them. And whether each
/// is one token.
pub fn one_token_words(tokens: &mut Tokens) -> (Vec<&'static str>, bool) {
    let all: Vec<&'static str> = COMMON.split_whitespace().collect();
    if !tokens.exact() {
        return (all, false);
    }
    let mut found = Vec::new();
    for group in all.chunks(64) {
        pick(tokens, group, &mut found);
    }
    if found.len() < 64 { (all, false) } else { (found, true) }
}

/// Takes a whole group if its text has as many tokens as words; else halves it.
fn pick(tokens: &mut Tokens, group: &[&'static str], found: &mut Vec<&'static str>) {
    let count = |tokens: &mut Tokens, words: &[&str]| {
        let text = words.iter().fold("the".to_owned(), |text, word| text + " " + word);
        tokens.text(&text, false)
    };
    let (Some(with), Some(without)) = (count(tokens, group), count(tokens, &[])) else { return };
    if with.checked_sub(without) == u32::try_from(group.len()).ok() {
        found.extend_from_slice(group);
    } else if group.len() > 1 {
        let (left, right) = group.split_at(group.len() / 2);
        pick(tokens, left, found);
        pick(tokens, right, found);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_plain_and_different() {
        let (words, _) = one_token_words(&mut Tokens::Estimate);
        assert!(words.len() > 500);
        assert!(words.iter().all(|word| word.bytes().all(|byte| byte.is_ascii_lowercase())));
        assert_eq!(words.iter().collect::<std::collections::HashSet<_>>().len(), words.len());
    }
}
