/** What the operating system says when it refuses a file. */

const reasons: Readonly<Record<string, string>> = {
  E2BIG: 'its arguments and environment are too long (E2BIG)',
  EACCES: 'no permission (EACCES)',
  EISDIR: 'it is a folder',
  ENOENT: 'there is no such file',
  ENOSPC: 'no space is left (ENOSPC)',
  ELOOP: 'it is a link that leads back to itself (ELOOP)',
  ENOTDIR: 'a part of its path is a file (ENOTDIR)',
  EROFS: 'its file system is read-only (EROFS)',
}

/** Why a file is neither read nor written, in words where it is usual: the end of a sentence. */
export function whyRefused({ code = '' }: NodeJS.ErrnoException): string {
  return reasons[code] ?? code
}
