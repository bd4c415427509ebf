// The addon's front door: makes the exports of one environment and takes them down with it.
//
// The addon is BSD sockets for JavaScript, one system call a function: plain descriptors go in, a
// non-negative number or a negated errno comes out. It holds no sockets (but for `closeAtExit`), knows no tasks, resolves
// no names and never blocks (but for `poll`, which says so). posix.d.ts is its manual.
#include "environment.h"

#include <stdlib.h>

static void environment_free(napi_env env, void *data, void *hint) {
  (void)env;
  (void)hint;
  Environment *home = data;
  // home->readiness is not ours to free: its uv handle closes asynchronously (see readiness.c).
  scratch_release(home->scratch);
  descriptors_close(home);
  free(home);
}

static bool define(napi_env env, napi_value exports, const Method *methods, Environment *home) {
  for (const Method *method = methods; method->name != NULL; method++) {
    napi_value function;
    if (napi_create_function(env, method->name, NAPI_AUTO_LENGTH, method->function, home,
                             &function) != napi_ok ||
        napi_set_named_property(env, exports, method->name, function) != napi_ok) {
      return false;
    }
  }
  return true;
}

NAPI_MODULE_INIT() {
  Environment *home = calloc(1, sizeof *home);
  if (home == NULL) {
    napi_throw_error(env, NULL, "out of memory");
    return NULL;
  }
  if (napi_set_instance_data(env, home, environment_free, NULL) != napi_ok) {
    free(home);
    return NULL;
  }
  const Method *tables[] = {socket_methods, transfer_methods, message_methods, descriptor_methods,
                            readiness_methods};
  for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
    if (!define(env, exports, tables[i], home)) return NULL;
  }
  napi_value constants = constants_object(env);
  napi_value names = error_names_object(env);
  if (constants == NULL || names == NULL) return NULL;
  napi_set_named_property(env, exports, "constants", constants);
  napi_set_named_property(env, exports, "errorNames", names);
  return exports;
}
