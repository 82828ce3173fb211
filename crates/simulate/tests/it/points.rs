//! The table of measurements with predictions beside them.

use dyno_simulate::Profiles;
use dyno_simulate::command::points::predict_table;

const HEADER: &str = "hardware,n_gpus,model,precision,engine,isl,osl,concurrency,ttft_ms,tpot_ms,out_tok_s,source,workload,num_requests,\
                      lengths,tp,ep,ttft_ok,consistent,first_burst";

fn predicted(rows: &[&str]) -> Vec<csv::StringRecord> {
    let table = format!("{HEADER}\n{}\n", rows.join("\n"));
    let mut out = Vec::new();
    predict_table(table.as_bytes(), &mut out, &Profiles::published()).unwrap();
    let mut reader = csv::Reader::from_reader(out.as_slice());
    let headers: Vec<String> = reader.headers().unwrap().iter().map(str::to_owned).collect();
    assert_eq!(headers.join(","), format!("{HEADER},pred_ttft_ms,pred_tpot_ms,pred_e2el_ms,pred_output_tok_s,note"));
    reader.records().map(|record| record.unwrap()).collect()
}

fn number(record: &csv::StringRecord, column: usize) -> f64 {
    record[column].parse().unwrap()
}

#[test]
fn predictions_stand_beside_what_was_measured() {
    let rows = predicted(&[
        "H200-SXM-141GB,8,meta-llama/Llama-3.1-70B,fp8,vllm,1024,1024,16,109.0,9.71,,\"a, b\",closed,160,0.8-1.0,8.0,1.0,1,1,in",
    ]);
    assert_eq!(&rows[0][11], "a, b");
    let (ttft, tpot, e2el) = (number(&rows[0], 20), number(&rows[0], 21), number(&rows[0], 22));
    assert!((e2el - (ttft + 1023.0 * tpot)).abs() < 0.1);
    assert!((tpot / 9.71 - 1.0).abs() < 0.15, "{tpot}");
    assert!((ttft / 109.0 - 1.0).abs() < 0.4, "{ttft}");
    assert!(number(&rows[0], 23) > 1000.0);
    assert_eq!(&rows[0][24], "");
}

#[test]
fn every_kind_of_load_is_understood() {
    let row = |workload: &str, requests: &str, burst: &str| {
        format!(
            "H100-SXM-80GB,1,meta-llama/Llama-3.1-8B-Instruct,bf16,vllm 0.12.0,512,64,8,,,,s,{workload},{requests},fixed,,,1,1,{burst}"
        )
    };
    let rows = [
        row("closed", "", "in"),
        row("closed", "80", "out"),
        row("static_batch", "8", "in"),
        row("burst", "100", "in"),
        row("serial", "5", "in"),
    ];
    let rows = predicted(&rows.iter().map(String::as_str).collect::<Vec<_>>());
    let ttft: Vec<f64> = rows.iter().map(|row| number(row, 20)).collect();
    // Alone a request waits for nobody; the burst of a hundred waits most; the opening burst raises the mean.
    assert!(ttft[4] < ttft[1] && ttft[1] < ttft[0] && ttft[0] < ttft[3], "{ttft:?}");
}

#[test]
fn unknown_models_and_devices_are_noted() {
    let rows = predicted(&[
        "H100-SXM-80GB,1,someone/new-9b,bf16,vllm,512,64,8,,,,s,closed,80,fixed,1,1,1,1,in",
        "H100-SXM-80GB,1,meta-llama/Llama-3.1-70B,bf16,vllm,512,64,8,,,,s,closed,80,fixed,1,1,1,1,in",
        "Abacus-9,1,meta-llama/Llama-3.1-8B,bf16,vllm,512,64,8,,,,s,closed,80,fixed,1,1,1,1,in",
        "L4-24GB,1,meta-llama/Llama-3.1-8B,bf16,newengine 3,512,64,1,,,,s,closed,80,fixed,1,1,1,1,in",
    ]);
    for (row, note) in [(0, "unknown model"), (1, "does not fit: 141.1 GB"), (2, "unknown device")] {
        assert_eq!(&rows[row][20], "");
        assert!(rows[row][24].contains(note), "{}", &rows[row][24]);
    }
    // An unknown engine is a note, not a refusal.
    assert!(number(&rows[3], 21) > 0.0);
    assert!(rows[3][24].contains("taken as vllm"));
}

/// Each of the stated single devices lacks the room: the note is of the layout that was simulated.
#[test]
fn devices_share_the_weights_where_a_copy_each_does_not_fit() {
    let rows = predicted(&[
        "H100-SXM-80GB,4,meta-llama/Llama-3.1-70B,bf16,vllm,512,64,8,,,,s,closed,80,fixed,1,1,1,1,in",
        "H100-SXM-80GB,4,meta-llama/Llama-3.1-70B,bf16,vllm,512,64,8,,,,s,closed,80,fixed,4,1,1,1,in",
    ]);
    assert_eq!(rows[0].iter().skip(20).take(4).collect::<Vec<_>>(), rows[1].iter().skip(20).take(4).collect::<Vec<_>>());
    let note = &rows[0][24];
    assert!(
        note.contains("does not fit at tensor-parallel 1: taken as tensor-parallel 4") && !note.contains("replicas"),
        "{note}"
    );
}

#[test]
fn the_same_table_gives_the_same_bytes() {
    let row = "B200-SXM-180GB,2,openai/gpt-oss-120b,mxfp4,trtllm 1.2.0rc2,1024,1024,32,,,,s,closed,320,0.8-1.0,2,1,1,1,in";
    assert_eq!(predicted(&[row]), predicted(&[row]));
}
