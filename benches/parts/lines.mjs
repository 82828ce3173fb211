import { closeSync, openSync, readSync } from "node:fs";

/** The lines of a file that may be longer than a string can be. */
export function* readLines(path) {
  const file = openSync(path, "r");
  const buffer = Buffer.alloc(1 << 22);
  let rest = Buffer.alloc(0);
  for (let length; (length = readSync(file, buffer)) > 0; ) {
    let bytes = Buffer.concat([rest, buffer.subarray(0, length)]);
    for (let end; (end = bytes.indexOf(10)) >= 0; bytes = bytes.subarray(end + 1)) yield bytes.toString("utf8", 0, end);
    rest = bytes;
  }
  closeSync(file);
}
