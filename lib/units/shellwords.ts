/** Words as they have to be typed into a shell. */
export function shellWords(words: readonly string[]): string {
  return words.map(shellWord).join(" ");
}

function shellWord(word: string): string {
  return /^[\w/.,:=%@+-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
