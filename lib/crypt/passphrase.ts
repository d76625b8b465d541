/** Without those that are taken for each other on paper: 0 and o, 1, i and l. */
const letters = "abcdefghjkmnpqrstuvwxyz23456789";
const groups = 6;
const groupLength = 5;

/**
 * A password that can be typed from paper: six groups of five letters and digits, 148 bits. `random`
 * gives so many random bytes.
 */
export function makePassword(random: (bytes: number) => Uint8Array): string {
  const wanted = groups * groupLength;
  // Bytes from here on would make the first letters likelier.
  const fair = 256 - (256 % letters.length);
  let text = "";
  while (text.length < wanted)
    for (const byte of random(wanted)) if (byte < fair) text += letters[byte % letters.length];
  return (text.slice(0, wanted).match(/.{5}/g) ?? []).join("-");
}
