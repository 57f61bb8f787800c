/**
 * The index of the embedded S3 server: which objects, uploads and parts exist and which files hold their bytes.
 * SQLite, so that a write either is there or is not, whenever the process dies. It never touches those files.
 */
import { createHash } from 'node:crypto';
import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite';
import { S3Error } from './s3-error.ts';

/** Headers that are stored with an object and given back with it. */
export type ObjectHeaders = Readonly<Record<string, string>>;

export interface ObjectInfo {
  readonly key: string;
  readonly etag: string;
  readonly size: number;
  readonly modifiedMs: number;
}

export interface StoredObject extends ObjectInfo {
  readonly id: number;
  readonly headers: ObjectHeaders;
}

/** One file of an object; an object of a multipart upload has one a part. */
export interface Piece {
  readonly file: string;
  readonly offset: number;
  readonly size: number;
}

export interface Part {
  readonly number: number;
  readonly etag: string;
  readonly size: number;
  readonly modifiedMs: number;
  readonly file: string;
}

export interface Upload {
  readonly id: string;
  readonly key: string;
  readonly initiatedMs: number;
}

/** `If-None-Match: *` and `If-Match: "etag"` of a write. */
export interface WriteCondition {
  readonly absent?: boolean;
  readonly etag?: string;
}

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS buckets (name TEXT PRIMARY KEY, created_ms INTEGER NOT NULL) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS objects (
    id INTEGER PRIMARY KEY, bucket TEXT NOT NULL REFERENCES buckets(name), key TEXT NOT NULL, etag TEXT NOT NULL,
    size INTEGER NOT NULL, modified_ms INTEGER NOT NULL, headers TEXT NOT NULL, UNIQUE (bucket, key));
  CREATE TABLE IF NOT EXISTS pieces (
    object_id INTEGER NOT NULL REFERENCES objects(id) ON DELETE CASCADE, offset INTEGER NOT NULL,
    size INTEGER NOT NULL, file TEXT NOT NULL, PRIMARY KEY (object_id, offset)) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS uploads (
    id TEXT PRIMARY KEY, bucket TEXT NOT NULL REFERENCES buckets(name), key TEXT NOT NULL,
    initiated_ms INTEGER NOT NULL, headers TEXT NOT NULL) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS parts (
    upload_id TEXT NOT NULL REFERENCES uploads(id) ON DELETE CASCADE, number INTEGER NOT NULL, etag TEXT NOT NULL,
    size INTEGER NOT NULL, modified_ms INTEGER NOT NULL, file TEXT NOT NULL, PRIMARY KEY (upload_id, number)) WITHOUT ROWID;
`;
const PART_COLUMNS = 'number, etag, size, modified_ms AS "modifiedMs", file';
const MIN_PART_BYTES = 5 * 1024 * 1024;

export class S3Index {
  readonly #db: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();

  /** @param durable survive a power cut too, not only the death of the process */
  constructor(file: string, durable: boolean) {
    this.#db = new DatabaseSync(file, { enableForeignKeyConstraints: true });
    // Nobody else opens it: without locks and shared memory a transaction takes half the system calls.
    this.#db.exec(
      `PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = ${durable ? 'NORMAL' : 'OFF'};${SCHEMA}`,
    );
  }

  close(): void {
    this.#statements.clear();
    this.#db.close();
  }

  createBucket(name: string, nowMs: number): boolean {
    return this.#run('INSERT INTO buckets VALUES (?, ?) ON CONFLICT DO NOTHING', name, nowMs) === 1;
  }

  deleteBucket(name: string): void {
    this.requireBucket(name);
    const used = this.#one(
      'SELECT 1 FROM objects WHERE bucket = ? UNION SELECT 1 FROM uploads WHERE bucket = ?',
      name,
      name,
    );
    if (used) throw new S3Error('BucketNotEmpty', 'The bucket you tried to delete is not empty', { BucketName: name });
    this.#run('DELETE FROM buckets WHERE name = ?', name);
  }

  listBuckets(): { name: string; createdMs: number }[] {
    return this.#all('SELECT name, created_ms AS "createdMs" FROM buckets ORDER BY name');
  }

  requireBucket(name: string): void {
    if (this.#one('SELECT 1 FROM buckets WHERE name = ?', name)) return;
    throw new S3Error('NoSuchBucket', 'The specified bucket does not exist', { BucketName: name });
  }

  /** Up to `limit` objects whose keys are at or after `from` (after it, if `exclusive`), in the order of UTF-8 bytes. */
  scan(bucket: string, from: string, exclusive: boolean, limit: number): ObjectInfo[] {
    const columns = 'key, etag, size, modified_ms AS "modifiedMs"';
    const sql = `SELECT ${columns} FROM objects WHERE bucket = ? AND key ${exclusive ? '>' : '>='} ? ORDER BY key LIMIT ?`;
    return this.#all(sql, bucket, from, limit);
  }

  object(bucket: string, key: string): StoredObject | undefined {
    const row = this.#one<ObjectInfo & { id: number; headers: string }>(
      'SELECT id, key, etag, size, modified_ms AS "modifiedMs", headers FROM objects WHERE bucket = ? AND key = ?',
      bucket,
      key,
    );
    return row && { ...row, headers: JSON.parse(row.headers) as ObjectHeaders };
  }

  /** The pieces that hold the bytes `start` to `end` (inclusive) of an object. */
  pieces(objectId: number, start = 0, end = Number.MAX_SAFE_INTEGER): Piece[] {
    const first = 'COALESCE((SELECT MAX(offset) FROM pieces WHERE object_id = ? AND offset <= ?), 0)';
    const sql = `SELECT file, offset, size FROM pieces WHERE object_id = ? AND offset >= ${first} AND offset <= ? ORDER BY offset`;
    return this.#all(sql, objectId, objectId, start, end);
  }

  /** Writes one object over whatever its key held. Returns the files that nothing refers to any more. */
  putObject(
    bucket: string,
    object: Omit<StoredObject, 'id'>,
    pieces: readonly Piece[],
    condition: WriteCondition,
  ): string[] {
    return this.#transaction(() => {
      this.requireBucket(bucket);
      const { id, unused } = this.#replace(bucket, object, condition);
      for (const piece of pieces) {
        this.#run('INSERT INTO pieces VALUES (?, ?, ?, ?)', id, piece.offset, piece.size, piece.file);
      }
      return unused;
    });
  }

  /** Returns the files that nothing refers to any more, or undefined if there was no such object. */
  deleteObject(bucket: string, key: string): string[] | undefined {
    return this.#transaction(() => {
      const existing = this.object(bucket, key);
      if (!existing) return undefined;
      const unused = this.pieces(existing.id).map((piece) => piece.file);
      this.#run('DELETE FROM objects WHERE id = ?', existing.id);
      return unused;
    });
  }

  createUpload(bucket: string, upload: Upload, headers: ObjectHeaders): void {
    this.requireBucket(bucket);
    const values = [upload.id, bucket, upload.key, upload.initiatedMs, JSON.stringify(headers)];
    this.#run('INSERT INTO uploads VALUES (?, ?, ?, ?, ?)', ...values);
  }

  requireUpload(bucket: string, key: string, uploadId: string): { headers: ObjectHeaders; initiatedMs: number } {
    const sql = 'SELECT headers, initiated_ms AS "initiatedMs" FROM uploads WHERE id = ? AND bucket = ? AND key = ?';
    const row = this.#one<{ headers: string; initiatedMs: number }>(sql, uploadId, bucket, key);
    if (row) return { initiatedMs: row.initiatedMs, headers: JSON.parse(row.headers) as ObjectHeaders };
    const why = 'The specified upload does not exist. It may have been aborted or completed.';
    throw new S3Error('NoSuchUpload', why, { UploadId: uploadId });
  }

  /** Uploads in the order of key and id, after that pair. */
  listUploads(bucket: string, prefix: string, after: { key: string; id: string }, limit: number): Upload[] {
    const sql = `SELECT id, key, initiated_ms AS "initiatedMs" FROM uploads
      WHERE bucket = ? AND substr(key, 1, length(?)) = ? AND (key, id) > (?, ?) ORDER BY key, id LIMIT ?`;
    return this.#all(sql, bucket, prefix, prefix, after.key, after.id, limit);
  }

  putPart(bucket: string, key: string, uploadId: string, part: Part): string[] {
    return this.#transaction(() => {
      this.requireUpload(bucket, key, uploadId);
      const old = this.#one<{ file: string }>(
        'SELECT file FROM parts WHERE upload_id = ? AND number = ?',
        uploadId,
        part.number,
      );
      const values = [uploadId, part.number, part.etag, part.size, part.modifiedMs, part.file];
      this.#run('INSERT OR REPLACE INTO parts VALUES (?, ?, ?, ?, ?, ?)', ...values);
      return old ? [old.file] : [];
    });
  }

  listParts(uploadId: string, after: number, limit: number): Part[] {
    const sql = `SELECT ${PART_COLUMNS} FROM parts WHERE upload_id = ? AND number > ? ORDER BY number LIMIT ?`;
    return this.#all(sql, uploadId, after, limit);
  }

  abortUpload(bucket: string, key: string, uploadId: string): string[] {
    return this.#transaction(() => {
      this.requireUpload(bucket, key, uploadId);
      const files = this.listParts(uploadId, 0, 10_000).map((part) => part.file);
      this.#run('DELETE FROM uploads WHERE id = ?', uploadId);
      return files;
    });
  }

  /** The parts become the object as they are: rows move, no byte does. */
  completeUpload(
    bucket: string,
    key: string,
    uploadId: string,
    listed: readonly { number: number; etag: string }[],
    condition: WriteCondition,
    nowMs: number,
  ): { object: ObjectInfo; unused: string[] } {
    return this.#transaction(() => {
      const { headers } = this.requireUpload(bucket, key, uploadId);
      const stored = new Map(this.listParts(uploadId, 0, 10_000).map((part) => [part.number, part]));
      const parts = selectParts(listed, stored);
      const digest = createHash('md5')
        .update(Buffer.from(parts.map((part) => part.etag).join(''), 'hex'))
        .digest('hex');
      const size = parts.reduce((sum, part) => sum + part.size, 0);
      const object = { key, etag: `${digest}-${parts.length}`, size, modifiedMs: nowMs, headers };
      const { id, unused } = this.#replace(bucket, object, condition);
      let offset = 0;
      for (const part of parts) {
        this.#run('INSERT INTO pieces VALUES (?, ?, ?, ?)', id, offset, part.size, part.file);
        offset += part.size;
        stored.delete(part.number);
      }
      this.#run('DELETE FROM uploads WHERE id = ?', uploadId);
      return { object, unused: [...unused, ...[...stored.values()].map((part) => part.file)] };
    });
  }

  /** Every file that an object or an upload refers to. */
  allFiles(): Set<string> {
    const rows = this.#all<{ file: string }>('SELECT file FROM pieces UNION ALL SELECT file FROM parts');
    return new Set(rows.map((row) => row.file));
  }

  #replace(
    bucket: string,
    object: Omit<StoredObject, 'id'>,
    condition: WriteCondition,
  ): { id: number; unused: string[] } {
    const existing = this.object(bucket, object.key);
    if (condition.etag !== undefined && !existing) {
      throw new S3Error('NoSuchKey', 'The specified key does not exist.', { Key: object.key });
    }
    if ((condition.absent && existing) || (condition.etag !== undefined && condition.etag !== existing?.etag)) {
      throw new S3Error('PreconditionFailed', 'At least one of the pre-conditions you specified did not hold');
    }
    const unused = existing ? this.pieces(existing.id).map((piece) => piece.file) : [];
    if (existing) this.#run('DELETE FROM objects WHERE id = ?', existing.id);
    const row = this.#one<{ id: number }>(
      'INSERT INTO objects (bucket, key, etag, size, modified_ms, headers) VALUES (?, ?, ?, ?, ?, ?) RETURNING id',
      bucket,
      object.key,
      object.etag,
      object.size,
      object.modifiedMs,
      JSON.stringify(object.headers),
    );
    return { id: row?.id ?? 0, unused };
  }

  #transaction<Result>(work: () => Result): Result {
    this.#run('BEGIN IMMEDIATE');
    try {
      const result = work();
      this.#run('COMMIT');
      return result;
    } catch (error) {
      this.#run('ROLLBACK');
      throw error;
    }
  }

  #statement(sql: string): StatementSync {
    const known = this.#statements.get(sql);
    if (known) return known;
    const statement = this.#db.prepare(sql);
    this.#statements.set(sql, statement);
    return statement;
  }

  #run(sql: string, ...values: SQLInputValue[]): number {
    return Number(this.#statement(sql).run(...values).changes);
  }

  // The shape of a row is the statement's own column list; SQLite can only tell us "some values".
  #all<Row>(sql: string, ...values: SQLInputValue[]): Row[] {
    return this.#statement(sql).all(...values) as Row[];
  }

  #one<Row = unknown>(sql: string, ...values: SQLInputValue[]): Row | undefined {
    return this.#statement(sql).get(...values) as Row | undefined;
  }
}

function selectParts(listed: readonly { number: number; etag: string }[], stored: ReadonlyMap<number, Part>): Part[] {
  let previous = 0;
  return listed.map(({ number, etag }, index) => {
    if (number <= previous) throw new S3Error('InvalidPartOrder', 'The list of parts was not in ascending order.');
    previous = number;
    const part = stored.get(number);
    if (!part || part.etag !== etag) {
      const why = 'One or more of the specified parts could not be found, or its entity tag did not match.';
      throw new S3Error('InvalidPart', why, { PartNumber: String(number) });
    }
    if (part.size < MIN_PART_BYTES && index < listed.length - 1) {
      const why = 'Your proposed upload is smaller than the minimum allowed size';
      throw new S3Error('EntityTooSmall', why, { PartNumber: String(number), ProposedSize: String(part.size) });
    }
    return part;
  });
}
