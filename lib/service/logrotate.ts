import type { ServiceFile, ServiceOptions } from "./options.ts";
import { sealed, sealHere } from "./seal.ts";
import { plainText } from "./words.ts";

/**
 * Keeps a log of the machine small: eight weeks of it. A run that goes on writes into the old file to
 * its end, so that the last one is compressed a week later.
 * Throws a usage failure for a path that can't stand there.
 */
export function logrotateFile(
  logFile: string,
  { user }: Pick<ServiceOptions, "user">,
): ServiceFile {
  const lines = [
    `# ${sealHere}`,
    `"${plainText(logFile).replaceAll(/["\\]/g, String.raw`\$&`)}" {`,
    ...["weekly", "rotate 8", "missingok", "notifempty", "compress", "delaycompress"].map(
      (line) => `    ${line}`,
    ),
    `    create 0600 ${plainText(user)}`,
    "}",
  ];
  return {
    path: "/etc/logrotate.d/rclone-backups",
    mode: 0o644,
    text: sealed(`${lines.join("\n")}\n`),
  };
}

/** The same for macOS: rotated every Sunday, eight kept, compressed, no process told. */
export function newsyslogFile(
  logFile: string,
  { user }: Pick<ServiceOptions, "user">,
): ServiceFile {
  const lines = [
    `# ${sealHere}`,
    "# logfilename [owner:group] mode count size when flags",
    `${plainText(logFile).replaceAll(/\s/g, String.raw`\$&`)} ${plainText(user)}: 600 8 * $W0D0 JN`,
  ];
  return {
    path: "/etc/newsyslog.d/rclone-backups.conf",
    mode: 0o644,
    text: sealed(`${lines.join("\n")}\n`),
  };
}
