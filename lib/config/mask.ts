import { isSecretName } from "./secret-names.ts";

/** What is shown in a secret's place. */
export const mask = "********";

/**
 * A location with the secrets of its connection string masked, in nested ones too, as well as
 * passwords in URLs. A connection string that can't be read is masked from its first parameter on.
 */
export function maskLocation(text: string): string {
  const start = /^:?[^:,/]*,/.exec(text);
  if (start === null) return maskUrls(text);
  let shown = start[0];
  let rest = text.slice(shown.length);
  for (;;) {
    const parameter = /^([^=,:]*)(?:=("(?:[^"]|"")*"|'(?:[^']|'')*'|[^"',:][^,:]*|))?([,:])/.exec(
      rest,
    );
    if (parameter === null) return `${shown}${mask}`;
    const [all, key = "", value, end] = parameter;
    shown += value === undefined ? key : `${key}=${maskParameter(key, value)}`;
    shown += end;
    rest = rest.slice(all.length);
    if (end === ":") return shown + maskUrls(rest);
  }
}

/** Text with the passwords of `scheme://user:password@host` masked. */
export function maskUrls(text: string): string {
  return text.replace(/(:\/\/[^/?#\s:@]*):[^/?#\s]*@/g, `$1:${mask}@`);
}

function maskParameter(key: string, value: string): string {
  if (isSecretName(key)) return mask;
  const quote = value[0];
  if (quote !== '"' && quote !== "'") return maskUrls(value);
  const inner = value.slice(1, -1).replaceAll(quote + quote, quote);
  return quote + maskLocation(inner).replaceAll(quote, quote + quote) + quote;
}
