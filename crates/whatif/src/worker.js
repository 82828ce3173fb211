
// Follows what wasm-bindgen made of the module, in the same file. A message is the question's number, the subject and the fields'
// values; the answers are the question's number and markup, one for each step, as long as nothing newer was asked.
const loading = __wbg_init({ module_or_path: new URL(import.meta.url.replace(/\.js$/, "_bg.wasm")) });
const numbersOf = (text) => Float64Array.from(text.split(" "), Number);
let whatIf;
let newest = 0;
onmessage = async ({ data: [number, subject, values] }) => {
  newest = number;
  await loading;
  if (number !== newest) return;
  whatIf ??= explore(numbersOf(subject));
  whatIf?.ask(numbersOf(values));
  for (let markup; number === newest && (markup = whatIf?.step()) !== undefined; ) {
    postMessage([number, markup]);
    // Lets a newer question in.
    await new Promise((next) => setTimeout(next));
  }
};
