// The names of error numbers. Where the platform has two names for one number (EAGAIN and
// EWOULDBLOCK, ENOTSUP and EOPNOTSUPP), the one Node uses is the one here.
#include "environment.h"

#include <errno.h>

#define C(name) {#name, name},

static const struct {
  const char *name;
  int number;
} errors[] = {
    // clang-format off
    C(E2BIG) C(EACCES) C(EADDRINUSE) C(EADDRNOTAVAIL) C(EADV) C(EAFNOSUPPORT) C(EAGAIN)
    C(EALREADY) C(EBADE) C(EBADF) C(EBADFD) C(EBADMSG) C(EBADR) C(EBADRQC) C(EBADSLT) C(EBFONT)
    C(EBUSY) C(ECANCELED) C(ECHILD) C(ECHRNG) C(ECOMM) C(ECONNABORTED) C(ECONNREFUSED)
    C(ECONNRESET) C(EDEADLK) C(EDESTADDRREQ) C(EDOM) C(EDOTDOT) C(EDQUOT) C(EEXIST) C(EFAULT)
    C(EFBIG) C(EHOSTDOWN) C(EHOSTUNREACH) C(EHWPOISON) C(EIDRM) C(EILSEQ) C(EINPROGRESS)
    C(EINTR) C(EINVAL) C(EIO) C(EISCONN) C(EISDIR) C(EISNAM) C(EKEYEXPIRED) C(EKEYREJECTED)
    C(EKEYREVOKED) C(EL2HLT) C(EL2NSYNC) C(EL3HLT) C(EL3RST) C(ELIBACC) C(ELIBBAD) C(ELIBEXEC)
    C(ELIBMAX) C(ELIBSCN) C(ELNRNG) C(ELOOP) C(EMEDIUMTYPE) C(EMFILE) C(EMLINK) C(EMSGSIZE)
    C(EMULTIHOP) C(ENAMETOOLONG) C(ENAVAIL) C(ENETDOWN) C(ENETRESET) C(ENETUNREACH) C(ENFILE)
    C(ENOANO) C(ENOBUFS) C(ENOCSI) C(ENODATA) C(ENODEV) C(ENOENT) C(ENOEXEC) C(ENOKEY) C(ENOLCK)
    C(ENOLINK) C(ENOMEDIUM) C(ENOMEM) C(ENOMSG) C(ENONET) C(ENOPKG) C(ENOPROTOOPT) C(ENOSPC)
    C(ENOSR) C(ENOSTR) C(ENOSYS) C(ENOTBLK) C(ENOTCONN) C(ENOTDIR) C(ENOTEMPTY) C(ENOTNAM)
    C(ENOTRECOVERABLE) C(ENOTSOCK) C(ENOTSUP) C(ENOTTY) C(ENOTUNIQ) C(ENXIO) C(EOVERFLOW)
    C(EOWNERDEAD) C(EPERM) C(EPFNOSUPPORT) C(EPIPE) C(EPROTO) C(EPROTONOSUPPORT) C(EPROTOTYPE)
    C(ERANGE) C(EREMCHG) C(EREMOTE) C(EREMOTEIO) C(ERESTART) C(ERFKILL) C(EROFS) C(ESHUTDOWN)
    C(ESOCKTNOSUPPORT) C(ESPIPE) C(ESRCH) C(ESRMNT) C(ESTALE) C(ESTRPIPE) C(ETIME) C(ETIMEDOUT)
    C(ETOOMANYREFS) C(ETXTBSY) C(EUCLEAN) C(EUNATCH) C(EUSERS) C(EXDEV) C(EXFULL)
    // clang-format on
};

napi_value error_names_object(napi_env env) {
  napi_value out;
  if (napi_create_object(env, &out) != napi_ok) return NULL;
  for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
    napi_value name;
    if (napi_create_string_latin1(env, errors[i].name, NAPI_AUTO_LENGTH, &name) != napi_ok ||
        napi_set_element(env, out, (uint32_t)errors[i].number, name) != napi_ok) {
      return NULL;
    }
  }
  return out;
}
