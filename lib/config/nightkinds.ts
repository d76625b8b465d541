import { usage } from "../errors.ts";
import { parseCron } from "../units/cron.ts";
import { parseDuration } from "../units/duration.ts";
import { timeZone as knownZone } from "../units/moment.ts";
import { noticeEvents, type NoticeEvent } from "../units/noticeevent.ts";
import { suggest } from "../units/suggest.ts";
import { secret, type Kind } from "./kinds.ts";
import { didYouMean, quoted } from "./problem.ts";
import { isLiteral } from "./secret.ts";

// Kinds of values that only [schedule], [verify] and [notify] have.

export const cron: Kind<string> = {
  name: "cron",
  expects:
    "five fields as in crontab(5): minute, hour, day of month, month, day of week; where both days are restricted, either is enough",
  pattern: "^\\S+(\\s+\\S+){4}$",
  parse(text) {
    parseCron(text);
    return text.trim().split(/\s+/).join(" ");
  },
};

export const zone: Kind<string> = {
  name: "time zone",
  expects: "a name of the IANA database such as Europe/Berlin, or UTC",
  pattern: "^[A-Za-z][A-Za-z0-9_+/-]*$",
  parse(text) {
    try {
      if (/^[A-Za-z][A-Za-z0-9_+/-]*$/.test(text)) {
        knownZone(text);
        return text;
      }
    } catch {
      // Told below.
    }
    const near = suggest(text, Intl.supportedValuesOf("timeZone")) ?? sameCity(text);
    throw usage(`expected the name of a time zone, found ${quoted(text)}`, {
      hint: didYouMean(near) ?? "such as Europe/Berlin or UTC",
    });
  },
};

/** `Berlin` is Europe/Berlin. */
function sameCity(text: string): string | undefined {
  const city = text.slice(text.lastIndexOf("/") + 1).toLowerCase();
  return Intl.supportedValuesOf("timeZone").find((name) => name.toLowerCase().endsWith(`/${city}`));
}

export const load: Kind<number> = {
  name: "load",
  expects: "a number such as 1 or 0.75, from 0.01 to 1000",
  pattern: "^[0-9]+(\\.[0-9]+)?$",
  parse(text) {
    const value = /^\d+(?:\.\d+)?$/.test(text) ? Number(text) : 0;
    if (value >= 0.01 && value <= 1000) return value;
    throw usage(`expected a number from 0.01 to 1000, found ${quoted(text)}`);
  },
};

/** The most days of an interval: ten years. */
const longestInterval = 3660;

export const interval: Kind<number> = {
  name: "interval",
  expects: "such as 7d, 30d or 12h; a bare number counts seconds",
  pattern: "^(?=.)([0-9]+|([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?)$",
  parse: (text) => parseDuration(text, longestInterval),
};

/** A host, or a user of this machine; never an option of the program that sends. */
const address = /^(?!-)(?:[^\s@,;<>"\p{Cc}]+@[^\s@,;<>"\p{Cc}]+|[a-z_][a-z0-9_-]*)$/u;

function checkAddress(text: string): string {
  if (address.test(text)) return text;
  throw usage(`expected a mail address, found ${quoted(text)}`, {
    hint: "such as me@example.org, or root for a user of this machine",
  });
}

export const addresses: Kind<readonly string[]> = {
  name: "addresses",
  expects: "mail addresses, separated by commas or spaces",
  pattern: "^[\\s\\S]+$",
  parse: (text) => words(text).map(checkAddress),
};

export const sender: Kind<string> = {
  name: "address",
  expects: "a mail address",
  pattern: "^\\S+$",
  parse: checkAddress,
};

const everyEvent = new Set<string>(noticeEvents);

export const events: Kind<readonly NoticeEvent[]> = {
  name: "events",
  expects: `${noticeEvents.join(", ")}, separated by commas or spaces; or all, or none`,
  pattern: "^[a-z, \\t]+$",
  parse(text) {
    const list = words(text);
    if (list.includes("all") || list.includes("none")) {
      if (list.length === 1) return list[0] === "all" ? noticeEvents : [];
      throw usage(`expected all or none alone, found ${quoted(text)}`);
    }
    for (const word of list) {
      if (everyEvent.has(word)) continue;
      throw usage(`expected an event (${noticeEvents.join(", ")}), found ${quoted(word)}`, {
        hint: didYouMean(suggest(word, [...noticeEvents, "all", "none"])) ?? "or all, or none",
      });
    }
    return noticeEvents.filter((event) => list.includes(event));
  },
};

function words(text: string): string[] {
  return text.split(/[\s,]+/).filter((word) => word !== "");
}

/**
 * A URL that is a secret. It stays as it is written until a notice is sent: a file that is gone or a
 * command that hangs must not keep a backup from running.
 */
function secretUrl(schemes: readonly string[]): Kind<string> {
  const wanted = schemes.map((scheme) => `${scheme}://…`).join(" or ");
  return {
    ...secret,
    name: "secret URL",
    expects: `${wanted}; or file:PATH (its first line) or command:CMD (the first line that /bin/sh -c CMD prints), which are read when a notice is sent`,
    resolved: "when used",
    parse(text) {
      if (!isLiteral(text)) return text;
      if (URL.canParse(text) && schemes.some((scheme) => text.startsWith(`${scheme}://`)))
        return text;
      throw usage(`expected ${wanted}, found something else`, {
        hint: "a secret's value is not shown here",
      });
    },
  };
}

export const httpUrl = secretUrl(["https", "http"]);
export const smtpUrl = secretUrl(["smtps", "smtp"]);
