// Pictures made here: PNG files of any size, so that none lies in the repository.

import { crc32, deflateSync } from "node:zlib";

const crc = crc32 ?? slowCrc;

/** Node before 20.15 has none. @param {Uint8Array} bytes */
function slowCrc(bytes) {
  let rest = 0xffffffff;
  for (const byte of bytes) {
    rest ^= byte;
    for (let bit = 0; bit < 8; bit += 1) rest = rest & 1 ? (rest >>> 1) ^ 0xedb88320 : rest >>> 1;
  }
  return (rest ^ 0xffffffff) >>> 0;
}

/** @param {string} kind @param {Uint8Array} data */
function chunk(kind, data) {
  const body = Buffer.concat([Buffer.from(kind, "latin1"), data]);
  const [length, check] = [Buffer.alloc(4), Buffer.alloc(4)];
  length.writeUInt32BE(data.length);
  check.writeUInt32BE(crc(body) >>> 0);
  return Buffer.concat([length, body, check]);
}

/**
 * A PNG of a sky over hills.
 * @param {number} width @param {number} height
 */
export function picture(width, height) {
  const rows = Buffer.alloc((width * 3 + 1) * height);
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      const [u, v] = [x / width, y / height];
      const hill = 0.72 + 0.09 * Math.sin(u * 9) + 0.04 * Math.sin(u * 23 + 1);
      const near = 0.86 + 0.05 * Math.sin(u * 6 + 2);
      const sun = Math.hypot((u - 0.7) * (width / height), v - 0.45) < 0.13;
      const color = v > near ? [38, 70, 83] : v > hill ? [42, 122, 120] : sun ? [255, 236, 179] : [244 - v * 40, 162 + v * 70, 97 + v * 110];
      rows.set(color.map((part) => Math.max(0, Math.min(255, Math.round(part)))), y * (width * 3 + 1) + 1 + x * 3);
    }
  }
  const head = Buffer.alloc(13);
  head.writeUInt32BE(width, 0);
  head.writeUInt32BE(height, 4);
  head.set([8, 2, 0, 0, 0], 8);
  return Buffer.concat([
    Buffer.from("\x89PNG\r\n\x1a\n", "latin1"), chunk("IHDR", head), chunk("IDAT", deflateSync(rows)), chunk("IEND", Buffer.alloc(0)),
  ]);
}
