/** What the operating system says when it refuses a file. */

const reasons: Readonly<Record<string, string>> = {
  E2BIG: 'its arguments and environment are too long (E2BIG)',
  EACCES: 'no permission (EACCES)',
  EFBIG: 'it is larger than this system allows (EFBIG)',
  EISDIR: 'it is a folder',
  ELOOP: 'its links lead round in a circle (ELOOP)',
  ENOENT: 'there is no such file',
  ENOSPC: 'no space is left (ENOSPC)',
  ENOTDIR: 'a part of its path is a file (ENOTDIR)',
  ENXIO: 'it is a socket (ENXIO)',
  ERR_INVALID_ARG_VALUE: 'no name holds a null character',
  EROFS: 'its file system is read-only (EROFS)',
}

/** Why a file is neither read nor written, in words where it is usual: the end of a sentence. */
export function whyRefused({ code = '' }: NodeJS.ErrnoException): string {
  return reasons[code] ?? code
}
