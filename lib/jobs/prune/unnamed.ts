import { usage } from "../../errors.ts";
import { redactLocation } from "../../rclone/location.ts";
import type { BackupRecord } from "../../state/record.ts";
import { recordedBackups } from "../backup/recorded.ts";
import type { OpenHistory } from "../openhistory.ts";

/**
 * Sees to it that `remote:path` is not pruned by policies that its backup doesn't have: throws usage
 * where a backup is known to be there, and warns where none is.
 */
export async function requireUnnamed(
  { session }: Pick<OpenHistory, "session">,
  record: BackupRecord | undefined,
): Promise<void> {
  const { backup, world } = session;
  const destination = redactLocation(backup.destination);
  const others = await recordedBackups(session);
  const known = [...(record === undefined ? [] : [record]), ...others].find(
    (other) =>
      other.config !== backup.file && (other === record || other.destination === destination),
  );
  if (known !== undefined)
    throw usage(
      `${destination}: expected the name of the backup that is there, ${known.name}, found its location, for which no policies are set`,
      {
        hint: `use its name ${known.name} (${known.config}); --purge --force removes every old version without any policy`,
      },
    );
  world.events.warn(
    `${destination}: no configuration says what is kept there, so the built-in policy default applies to all of it`,
  );
}
