import { readFile } from "node:fs/promises";
import { failed, systemCode } from "../errors.ts";
import { didYouMean, quoted } from "../config/problem.ts";
import { suggest } from "../units/suggest.ts";
import type { Channel, NoticeWorld } from "./channel.ts";
import type { Notice } from "./notice.ts";
import { openSecret } from "./secret.ts";
import { ask } from "./web.ts";

/** A POST of JSON: our own document, or the template in a file, filled in. */
export function webhookChannel(
  secretUrl: string,
  templateFile: string | undefined,
  world: NoticeWorld,
): Channel {
  const what = "webhook";
  return {
    kind: what,
    combines: false,
    async send(notice, options) {
      const url = await openSecret(what, secretUrl, world, options);
      const body =
        templateFile === undefined
          ? JSON.stringify(documentOf(notice))
          : fillTemplate(await readTemplate(templateFile), notice);
      const headers = { "content-type": "application/json; charset=utf-8" };
      await ask({ what, url, method: "POST", headers, body }, world.env, options);
    },
  };
}

/** The document that a webhook gets without a template. */
function documentOf(notice: Notice): Record<string, unknown> {
  const { event, phase, backup, host, at, subject, text, facts } = notice;
  return { version: 1, event, phase, backup: backup ?? null, host, at, subject, text, facts };
}

/** Throws failed for a file that can't be read. */
export async function readTemplate(file: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    const code = systemCode(error) ?? "unreadable";
    throw failed(`webhook_template: expected a file at ${file}, found it unreadable (${code})`, {
      cause: error,
    });
  }
}

/**
 * A template with the notice's texts in the place of `{{subject}}` and the like, escaped as in a JSON
 * string. A fact that this notice doesn't have is empty.
 * Throws failed for a name that is none, and for what is no JSON when filled in.
 */
export function fillTemplate(template: string, notice: Notice): string {
  const { event, phase, backup, host, at, subject, text, facts } = notice;
  const values = new Map<string, string>(
    Object.entries({ event, phase, backup: backup ?? "", host, at, subject, text }),
  );
  const own = new Map(Object.entries(facts));
  const filled = template.replaceAll(/\{\{([^{}]*)\}\}/g, (_, inside: string) => {
    const name = inside.trim();
    const fact = /^facts\.(\w+)$/.exec(name)?.[1];
    const value = fact === undefined ? values.get(name) : String(own.get(fact) ?? "");
    if (value !== undefined) return JSON.stringify(value).slice(1, -1);
    const known = [...values.keys(), "facts.NAME"];
    throw failed(
      `webhook_template: expected a known name between {{ and }}, found ${quoted(name)}`,
      {
        hint: didYouMean(suggest(name, known)) ?? `known: ${known.join(", ")}`,
      },
    );
  });
  try {
    JSON.parse(filled);
    return filled;
  } catch (error) {
    throw failed("webhook_template: expected JSON when it is filled in, found something else", {
      hint: 'put names into strings: "text": "{{subject}}"',
      cause: error,
    });
  }
}
