import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { parseFlags } from "../lib/config/flags.ts";
import { isSecretName } from "../lib/config/secret-names.ts";
import { Failure } from "../lib/errors.ts";

function failure(text: string): Failure {
  try {
    parseFlags(text);
  } catch (error) {
    if (error instanceof Failure) return error;
    throw error;
  }
  return assert.fail(`expected ${text} to be refused`);
}

test("flags are split like words of a shell and joined with their values", () => {
  assert.deepEqual(parseFlags(""), []);
  assert.deepEqual(
    parseFlags(
      "--fast-list --buffer-size 32M --max-backlog=-1 --tpslimit -1 --user-agent 'a \"b\"' --sftp-key-file=/k",
    ),
    [
      "--fast-list",
      "--buffer-size=32M",
      "--max-backlog=-1",
      "--tpslimit=-1",
      '--user-agent=a "b"',
      "--sftp-key-file=/k",
    ],
  );
  const fine =
    "--password-command=x --s3-no-check-bucket --checksum --drive-token-url=u --webdav-bearer-token-command=c " +
    "--s3-use-accelerate-endpoint --b2-download-url=u --sftp-known-hosts-file=f --gcs-user-project=p --s3-location-constraint=l " +
    "--pikpak-user-agent=a --sftp-host-key-algorithms=a " +
    "--one-file-system --header 'X-Team: a' --s3-sse-kms-key-id=i --sftp-key-use-agent --retries=5";
  assert.equal(parseFlags(fine).length, 17);
});

const refused: Readonly<Record<string, string>> = {
  "what is deleted":
    "delete-before delete-during delete-after delete-excluded max-delete max-delete-size ignore-errors b2-hard-delete mega-hard-delete drive-use-trash s3-bypass-governance-retention b2-lifecycle",
  "no longer be backed up":
    "ignore-existing update no-check-dest size-only modify-window ignore-size ignore-checksum ignore-case-sync immutable",
  "filters belong":
    "filter filter-from include include-from exclude exclude-from exclude-if-present files-from files-from-raw files-from0 metadata-include metadata-exclude-from metadata-filter hash-filter ignore-case",
  "Unicode form": "no-unicode-normalization local-unicode-normalization",
  "which place":
    "drive-root-folder-id drive-team-drive drive-shared-with-me drive-service-account-file drive-impersonate onedrive-drive-id onedrive-drive-type hidrive-root-prefix dropbox-root-namespace seafile-library sftp-host sftp-port sftp-user sftp-ssh sftp-server-command smb-domain ftp-host s3-endpoint s3-region s3-provider s3-profile s3-env-auth s3-role-arn webdav-url webdav-user webdav-unix-socket swift-storage-url swift-tenant b2-account b2-endpoint hdfs-namenode pcloud-hostname koofr-mountid alias-remote union-upstreams combine-upstreams azureblob-account storj-satellite-address",
  "it filters files away": "min-age max-age min-size max-size max-depth",
  "own --dry-run": "dry-run interactive",
  "can't answer questions": "ask-password sftp-ask-password",
  "old versions": "backup-dir suffix suffix-keep-extension compare-dest copy-dest",
  "current files":
    "b2-versions s3-versions b2-version-at s3-version-at onedrive-no-versions drive-trashed-only",
  copy_links: "copy-links links skip-links",
  "log and exit code":
    "log-file log-level log-format stats stats-one-line use-json-log verbose quiet progress syslog dump dump-headers error-on-no-transfer",
  "may steer": "rc rc-addr metrics-addr",
  "key of its own": "transfers checkers bwlimit",
  "configuration file": "config",
  "could not be read": "crypt-filename-encryption crypt-no-data-encryption name-transform",
  arguments:
    "b2-key sftp-pass sftp-key-file-pass sftp-key-pem crypt-password crypt-password2 drive-token s3-secret-access-key s3-access-key-id s3-session-token azureblob-sas-url gcs-service-account-credentials mega-2fa swift-auth client-pass netstorage-secret s3-sse-customer-key-base64",
};

for (const [reason, names] of Object.entries(refused)) {
  test(`refused, since "${reason}"`, () => {
    for (const name of names.split(" ")) {
      for (const text of [
        `--${name}`,
        `--${name}=hunter2`,
        `--${name} hunter2`,
        `--checksum --${name} --fast-list`,
      ]) {
        const { message, hint } = failure(text);
        assert.match(message, new RegExp(`found --${name}$`));
        assert.ok(hint?.includes(reason), `${name}: ${hint}`);
      }
    }
  });
}

test("short flags, loose words and odd names are refused", () => {
  assert.match(failure("-v").message, /found the short -v$/);
  assert.match(failure("--checksum -P").message, /found the short -P$/);
  assert.match(failure("/other/destination").message, /a word that belongs to none$/);
  assert.match(failure("--checksum=true /other").message, /a word that belongs to none$/);
  assert.match(failure("--retries 3 4").message, /a word that belongs to none$/);
  for (const text of ["--", "--=x", "--dry_run", "--DRY-RUN", "---x", "--a b=c --\u00e9"])
    failure(text);
  assert.equal(
    failure("--header 'Authorization: Bearer x'").message,
    "expected no secret in a flag, found --header",
  );
  assert.equal(
    failure("--webdav-headers=Cookie,name=x").message,
    "expected no secret in a flag, found --webdav-headers",
  );
});

test("a value that looks like a flag is checked as one", () => {
  failure("--user-agent --delete-before");
  failure("--user-agent '--delete-before'");
});

test("any text is split into flags that are checked, or refused", () => {
  const word = fc.oneof(
    fc.string(),
    fc.constantFrom("--checksum", "--delete-after", "--user-agent", "x", '"', "'"),
  );
  fc.assert(
    fc.property(fc.array(word), (words) => {
      let flags: string[];
      try {
        flags = parseFlags(words.join(" "));
      } catch (error) {
        assert.ok(error instanceof Failure);
        return;
      }
      for (const flag of flags) {
        assert.match(flag, /^--[a-z0-9][a-z0-9-]*(=|$)/);
        assert.doesNotMatch(flag, /^--delete/);
      }
    }),
  );
});

test("names of secrets are told from names of what is near them", () => {
  for (const name of [
    "pass",
    "PASSWORD",
    "password2",
    "key",
    "application_key",
    "client_secret",
    "token",
    "account-key",
  ]) {
    assert.equal(isSecretName(name), true, name);
  }
  for (const name of [
    "key_file",
    "token_url",
    "user",
    "host",
    "pass_bad_blocks",
    "env_auth",
    "public_key",
    "ask_password",
    "monkey",
    "",
  ]) {
    assert.equal(isSecretName(name), false, name);
  }
});
