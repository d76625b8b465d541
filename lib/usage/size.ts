const powers = "KMGTPE";

/**
 * The size that stands at `start`, before `end`: digits, or as `ls -h`, `du -h` and rclone write it
 * for people (`1.5K`, `4.883Ki`; K is 1024). Undefined where there is anything else. -1, which
 * rclone writes where it does not know, is 0.
 */
export function sizeIn(buffer: Buffer, start: number, end: number): number | undefined {
  let size = 0;
  for (let at = start; at < end; at += 1) {
    const digit = (buffer[at] ?? 0) - 0x30;
    if (digit < 0 || digit > 9) return humanSize(buffer.toString("latin1", start, end));
    size = size * 10 + digit;
  }
  return end > start ? size : undefined;
}

function humanSize(text: string): number | undefined {
  if (text === "-1") return 0;
  const match = /^(\d+(?:\.\d+)?)(?:([KMGTPE])i?|B)?$/i.exec(text);
  if (match === null) return undefined;
  const power = match[2] === undefined ? 0 : powers.indexOf(match[2].toUpperCase()) + 1;
  return Math.round(Number(match[1]) * 1024 ** power);
}
