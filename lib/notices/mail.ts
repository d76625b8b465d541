import { access, constants } from "node:fs/promises";
import path from "node:path";
import { failed } from "../errors.ts";
import type { Channel, NoticeWorld } from "./channel.ts";
import { definedOnly, runForNotice } from "./command.ts";
import type { Notice } from "./notice.ts";
import { openSecret } from "./secret.ts";
import { parseSmtpUrl, sendBySmtp } from "./smtp.ts";

export interface MailSettings {
  readonly to: readonly string[];
  readonly from: string | undefined;
  /** A secret that is not resolved yet; without it sendmail is used. */
  readonly smtp: string | undefined;
}

/** A mail to all addresses, by SMTP or by the sendmail of this machine. */
export function mailChannel(settings: MailSettings, world: NoticeWorld): Channel {
  const { to, from, smtp } = settings;
  return {
    kind: "mail",
    combines: true,
    async send(notice, options) {
      if (smtp === undefined) {
        const program = await findSendmail(world.env["PATH"] ?? "");
        const raw = await composeMail(notice, to, from, "unix");
        // -t: recipients are those of the header. -i: a dot alone does not end the mail.
        const sender = from === undefined ? [] : ["-f", from];
        const command = [program, "-i", "-t", ...sender];
        await runForNotice("sendmail", command, raw, definedOnly(world), options);
        return;
      }
      const server = parseSmtpUrl(await openSecret("smtp", smtp, world, options));
      const user = server.login?.user ?? "";
      const sender =
        from ?? (/^[^@\s]+@[^@\s]+$/.test(user) ? user : `rclone-backups@${world.hostname}`);
      const raw = await composeMail(notice, to, sender, "windows");
      await sendBySmtp(server, { from: sender, to, raw }, world.hostname, options);
    },
  };
}

/**
 * The mail as text with its header. What is not ASCII is encoded in both; a line end in a name can't
 * become a header field. Without a sender, sendmail puts in the user.
 */
export async function composeMail(
  notice: Notice,
  to: readonly string[],
  from: string | undefined,
  newline: "unix" | "windows",
): Promise<Buffer> {
  const { default: MailComposer } = await import("nodemailer/lib/mail-composer");
  const mail = new MailComposer({
    ...(from === undefined ? {} : { from: { name: "", address: from } }),
    to: to.map((address) => ({ name: "", address })),
    subject: notice.subject,
    text: notice.text,
    date: new Date(notice.at),
    headers: {
      // Nobody's vacation should answer.
      "Auto-Submitted": "auto-generated",
      "X-Rclone-Backups-Event": `${notice.event} ${notice.phase}`,
    },
    newline,
    disableFileAccess: true,
    disableUrlAccess: true,
  });
  return mail.compile().build();
}

/** Where it usually is; cron's PATH leaves these out. */
const usualPlaces = ["/usr/sbin", "/usr/lib", "/usr/local/sbin"];

/** The sendmail of this machine. Throws failed where there is none. */
export async function findSendmail(searchPath: string): Promise<string> {
  const directories = [
    ...searchPath.split(":").filter((each) => each.startsWith("/")),
    ...usualPlaces,
  ];
  for (const directory of directories) {
    const program = path.join(directory, "sendmail");
    try {
      await access(program, constants.X_OK);
      return program;
    } catch {
      // Maybe in the next one.
    }
  }
  throw failed("mail: expected a sendmail in PATH or in /usr/sbin, found none", {
    hint: "install one, such as msmtp-mta, or set smtp",
  });
}
