import { maskUrls } from "../../config/mask.ts";
import { isSecretName } from "../../config/secret-names.ts";
import { reveal } from "../../crypt/obscure.ts";
import type { Section } from "../../rclone/configfile.ts";

/** One option of a remote, as a recovery sheet tells it. */
export type SheetOption = { readonly key: string } & (
  | { readonly kind: "plain"; readonly value: string }
  /** The password of a crypt remote: nobody else knows it, so it is told. */
  | { readonly kind: "password"; readonly value: string }
  /** A secret that somebody else can give again, such as an account's page: told by its name. */
  | { readonly kind: "credential"; readonly obscured: boolean }
);

export interface SheetRemote {
  readonly name: string;
  readonly type: string;
  readonly options: readonly SheetOption[];
  /** Options that name files of this machine. */
  readonly files: readonly { readonly key: string; readonly path: string }[];
}

/**
 * The remotes as a sheet tells them. `obscured` has the options of each type that rclone keeps obscured;
 * with `include`, credentials are told as the configuration has them.
 */
export function sheetRemotes(
  sections: readonly Section[],
  obscured: ReadonlyMap<string, ReadonlySet<string>>,
  include: boolean,
): SheetRemote[] {
  return sections.map(({ name, options }) => {
    const type = options.get("type") ?? "";
    const passwords = obscured.get(type) ?? new Set();
    const set = [...options].filter(([, value]) => value !== "");
    return {
      ...{ name, type },
      options: set.map(([key, value]) => {
        const isPassword = passwords.has(key);
        if (type === "crypt" && (key === "password" || key === "password2"))
          return { key, kind: "password", value: reveal(value) };
        if (include || !(isPassword || isSecretName(key) || maskUrls(value) !== value))
          return { key, kind: "plain", value };
        return { key, kind: "credential", obscured: isPassword };
      }),
      files: set
        .filter(([key, value]) => /(?:_file|_path)$/.test(key) && /^[/~]/.test(value))
        .map(([key, path]) => ({ key, path })),
    };
  });
}
