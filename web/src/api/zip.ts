// Several files as one zip, unpacked sizes and all: pictures and captions that belong together go to the server as one
// file. Nothing is compressed, as pictures are already.

const LOCAL = 0x04034b50;
const CENTRAL = 0x02014b50;
const END = 0x06054b50;
const VERSION = 20;
/** Names are UTF-8. */
const FLAGS = 0x0800;
/** 1 January 1980, the first day a zip knows: what is in it counts, not when it was put in. */
const DAY = 0x0021;

const CRCS = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? 0xedb88320 ^ (crc >>> 1) : crc >>> 1;
  return crc >>> 0;
});

interface Entry {
  name: Uint8Array<ArrayBuffer>;
  crc: number;
  size: number;
  offset: number;
}

/** The zip of some files; those of one name are numbered, so that none hides another. */
export async function zipOf(files: readonly File[], name: string): Promise<File> {
  const parts: BlobPart[] = [];
  const entries: Entry[] = [];
  let offset = 0;
  for (const [index, file] of files.entries()) {
    const data = new Uint8Array(await file.arrayBuffer());
    const entry = { name: new TextEncoder().encode(nameIn(files, index)), crc: crcOf(data), size: data.length, offset };
    const header = headerOf(LOCAL, entry);
    parts.push(header, entry.name, data);
    entries.push(entry);
    offset += header.length + entry.name.length + data.length;
  }
  const directory = entries.flatMap((entry) => [headerOf(CENTRAL, entry), entry.name]);
  const size = directory.reduce((sum, part) => sum + part.length, 0);
  return new File([...parts, ...directory, endOf(entries.length, size, offset)], name, { type: "application/zip" });
}

/** A file's name among the others: `a.png`, and for the second of that name `a-2.png`. */
export function nameIn(files: readonly { name: string }[], index: number): string {
  const name = files[index]?.name ?? "";
  const before = files.slice(0, index).filter((other) => other.name === name).length;
  const dot = name.lastIndexOf(".");
  return before === 0 || dot < 1 ? name : `${name.slice(0, dot)}-${before + 1}${name.slice(dot)}`;
}

export function crcOf(data: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of data) crc = (CRCS[(crc ^ byte) & 0xff] ?? 0) ^ (crc >>> 8);
  return (crc ^ 0xffffffff) >>> 0;
}

/** What stands before a file's data, or for it in the directory at the end. */
function headerOf(signature: typeof LOCAL | typeof CENTRAL, entry: Entry): Uint8Array<ArrayBuffer> {
  const isCentral = signature === CENTRAL;
  const bytes = new DataView(new ArrayBuffer(isCentral ? 46 : 30));
  bytes.setUint32(0, signature, true);
  let at = 4;
  if (isCentral) {
    bytes.setUint16(at, VERSION, true);
    at += 2;
  }
  for (const value of [VERSION, FLAGS, 0, 0, DAY]) {
    bytes.setUint16(at, value, true);
    at += 2;
  }
  for (const value of [entry.crc, entry.size, entry.size]) {
    bytes.setUint32(at, value, true);
    at += 4;
  }
  bytes.setUint16(at, entry.name.length, true);
  if (isCentral) bytes.setUint32(42, entry.offset, true);
  return new Uint8Array(bytes.buffer);
}

function endOf(numFiles: number, directoryBytes: number, offset: number): Uint8Array<ArrayBuffer> {
  const bytes = new DataView(new ArrayBuffer(22));
  bytes.setUint32(0, END, true);
  bytes.setUint16(8, numFiles, true);
  bytes.setUint16(10, numFiles, true);
  bytes.setUint32(12, directoryBytes, true);
  bytes.setUint32(16, offset, true);
  return new Uint8Array(bytes.buffer);
}
