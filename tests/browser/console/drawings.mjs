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
 * A PNG, drawn dot by dot.
 * @param {number} width @param {number} height
 * @param {(x: number, y: number) => number[]} color red, green and blue of a dot
 */
function drawn(width, height, color) {
  const rows = Buffer.alloc((width * 3 + 1) * height);
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      rows.set(color(x, y).map((part) => Math.max(0, Math.min(255, Math.round(part)))), y * (width * 3 + 1) + 1 + x * 3);
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

/** A sky over hills. @param {number} width @param {number} height */
export function picture(width, height) {
  return drawn(width, height, (x, y) => {
    const [u, v] = [x / width, y / height];
    const hill = 0.72 + 0.09 * Math.sin(u * 9) + 0.04 * Math.sin(u * 23 + 1);
    const near = 0.86 + 0.05 * Math.sin(u * 6 + 2);
    const sun = Math.hypot((u - 0.7) * (width / height), v - 0.45) < 0.13;
    return v > near ? [38, 70, 83] : v > hill ? [42, 122, 120] : sun ? [255, 236, 179] : [244 - v * 40, 162 + v * 70, 97 + v * 110];
  });
}

/** A chart: something grows, and is over. @param {number} width @param {number} height */
export function chart(width, height) {
  const bars = [3, 2, 4, 3, 5, 9, 16, 24, 31, 44, 52, 61, 58, 66, 71, 69, 74, 62, 12, 2, 0, 0, 1, 0];
  const [side, foot] = [width * 0.05, height * 0.1];
  const step = (width - 2 * side) / bars.length;
  return drawn(width, height, (x, y) => {
    const up = height - foot - y;
    const bar = bars[Math.floor((x - side) / step)];
    const within = (x - side) % step > step * 0.24;
    if (up >= 0 && bar !== undefined && within && up < Math.max(2, (bar / 80) * (height - 2 * foot))) return bar > 20 ? [217, 88, 88] : [94, 106, 210];
    const line = up >= 0 && x > side && x < width - side && Math.round(up) % Math.round((height - 2 * foot) / 4) === 0;
    return line ? [226, 228, 235] : [250, 250, 252];
  });
}
