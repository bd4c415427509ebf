// Which descriptors can be read or written: one edge-triggered epoll set for the environment, itself
// watched by one uv_poll_t. A wake-up takes a batch of events, and calls JavaScript for one group of them after
// the other: as many as fit into an Int32Array of JavaScript's. What is still waiting after that wakes the loop
// again at its next turn, so that timers and everybody else's handles get theirs.
//
// An event carries the token JavaScript chose, never the descriptor: numbers are reused, and an
// event for the socket that had this number before must not reach the one that has it now.
#include "arguments.h"

#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>
#include <uv.h>

#define BATCH 1024
#define INTEREST (EPOLLIN | EPOLLOUT | EPOLLPRI | EPOLLRDHUP | EPOLLET)

struct Readiness {
  uv_poll_t poll;
  napi_env env;
  int set;
  napi_ref callback;
  napi_ref receiver;
  napi_ref events;
  napi_async_context context;
  napi_async_cleanup_hook_handle cleanup;
  struct epoll_event batch[BATCH];
};

// The array is looked up each time, so that one JavaScript has detached is just empty.
static int32_t *events_area(Readiness *ready, int *pairs) {
  napi_value array;
  napi_typedarray_type type;
  void *data = NULL;
  size_t length = 0;
  if (napi_get_reference_value(ready->env, ready->events, &array) != napi_ok ||
      napi_get_typedarray_info(ready->env, array, &type, &length, &data, NULL, NULL) != napi_ok) {
    return NULL;
  }
  *pairs = length / 2 < BATCH ? (int)(length / 2) : BATCH;
  return *pairs > 0 ? data : NULL;
}

// Tells JavaScript of the first of these events, as many as there is room for; gives how many those
// were, or 0 if it cannot be told of any more.
static int deliver(Readiness *ready, const struct epoll_event *events, int count) {
  napi_env env = ready->env;
  napi_value receiver, callback, argument, error;
  int group = 0;
  int32_t *area = events_area(ready, &group);
  if (area == NULL) return 0;
  if (group > count) group = count;
  for (int i = 0; i < group; i++) {
    area[2 * i] = (int32_t)events[i].data.u32;
    area[2 * i + 1] = (int32_t)events[i].events;
  }
  if (napi_get_reference_value(env, ready->receiver, &receiver) != napi_ok ||
      napi_get_reference_value(env, ready->callback, &callback) != napi_ok ||
      napi_create_int32(env, group, &argument) != napi_ok) {
    return 0;
  }
  napi_status status =
      napi_make_callback(env, ready->context, receiver, callback, 1, &argument, NULL);
  if (status == napi_ok) return group;
  // Anything else means the environment is being terminated and runs no more JavaScript.
  if (status != napi_pending_exception ||
      napi_get_and_clear_last_exception(env, &error) != napi_ok) {
    return 0;
  }
  napi_fatal_exception(env, error);
  return group;
}

// One epoll_wait, and a callback for each group of its events: what JavaScript does because of the
// first group is done, microtasks and all, before it is told of the second.
static void on_wake_up(uv_poll_t *poll, int status, int events) {
  (void)status;
  (void)events;
  Readiness *ready = poll->data;
  napi_handle_scope scope;
  int pairs;
  if (napi_open_handle_scope(ready->env, &scope) != napi_ok) return;
  if (events_area(ready, &pairs) == NULL) {
    uv_poll_stop(&ready->poll);  // nowhere to put events: stay silent, do not spin
  } else {
    int count = epoll_wait(ready->set, ready->batch, BATCH, 0);
    for (int told = 0, group; told < count; told += group) {
      group = deliver(ready, ready->batch + told, count - told);
      if (group == 0) break;
    }
  }
  napi_close_handle_scope(ready->env, scope);
}

static void on_closed(uv_handle_t *handle) {
  Readiness *ready = handle->data;
  napi_async_cleanup_hook_handle cleanup = ready->cleanup;
  close(ready->set);
  free(ready);
  if (cleanup != NULL) napi_remove_async_cleanup_hook(cleanup);
}

// The environment ends: libuv needs one more turn of the loop to let go of the handle, so this is an
// asynchronous hook, and the memory goes in on_closed. The Environment itself may be gone by then.
static void on_environment_exit(napi_async_cleanup_hook_handle cleanup, void *data) {
  Readiness *ready = data;
  ready->cleanup = cleanup;
  napi_delete_reference(ready->env, ready->callback);
  napi_delete_reference(ready->env, ready->receiver);
  napi_delete_reference(ready->env, ready->events);
  napi_async_destroy(ready->env, ready->context);
  uv_close((uv_handle_t *)&ready->poll, on_closed);
}

// 0, or a negated errno with nothing left behind.
static int readiness_open(napi_env env, Environment *home) {
  uv_loop_t *loop;
  napi_value name, receiver;
  Readiness *ready = calloc(1, sizeof *ready);
  if (ready == NULL) return -ENOMEM;
  ready->env = env;
  ready->set = epoll_create1(EPOLL_CLOEXEC);
  if (ready->set < 0) {
    int error = errno;
    free(ready);
    return -error;
  }
  if (napi_get_uv_event_loop(env, &loop) != napi_ok ||
      napi_create_object(env, &receiver) != napi_ok ||
      napi_create_string_latin1(env, "CURIO", NAPI_AUTO_LENGTH, &name) != napi_ok ||
      napi_create_reference(env, receiver, 1, &ready->receiver) != napi_ok ||
      napi_async_init(env, receiver, name, &ready->context) != napi_ok) {
    close(ready->set);
    free(ready);
    return -ENOTSUP;
  }
  int status = uv_poll_init(loop, &ready->poll, ready->set);
  if (status != 0) {
    napi_async_destroy(env, ready->context);
    napi_delete_reference(env, ready->receiver);
    close(ready->set);
    free(ready);
    return status;  // libuv's errors are negated errnos here
  }
  ready->poll.data = ready;
  // Whether waiting keeps the process alive, JavaScript decides: it knows who waits.
  uv_unref((uv_handle_t *)&ready->poll);
  napi_add_async_cleanup_hook(env, on_environment_exit, ready, NULL);
  home->readiness = ready;
  return 0;
}

static napi_value on_events(napi_env env, napi_callback_info info) {
  ARGUMENTS(2);
  napi_valuetype callback_type;
  napi_typedarray_type array_type;
  napi_ref callback, events;
  if (napi_typeof(env, args[0], &callback_type) != napi_ok || callback_type != napi_function) {
    wrong_type(env, "callback", "a function");
    return NULL;
  }
  if (napi_get_typedarray_info(env, args[1], &array_type, NULL, NULL, NULL, NULL) != napi_ok ||
      array_type != napi_int32_array) {
    wrong_type(env, "events", "an Int32Array");
    return NULL;
  }
  if (home->readiness == NULL) {
    int opened = readiness_open(env, home);
    if (opened < 0) return number(env, opened);
  }
  if (napi_create_reference(env, args[0], 1, &callback) != napi_ok ||
      napi_create_reference(env, args[1], 1, &events) != napi_ok) {
    return NULL;
  }
  Readiness *ready = home->readiness;
  if (ready->callback != NULL) napi_delete_reference(env, ready->callback);
  if (ready->events != NULL) napi_delete_reference(env, ready->events);
  ready->callback = callback;
  ready->events = events;
  // Also starts again what an area without room had stopped.
  uv_poll_start(&ready->poll, UV_READABLE, on_wake_up);
  return number(env, 0);
}

// EINVAL: onEvents comes first.
static int set_of(const Environment *home) {
  if (home->readiness == NULL) errno = EINVAL;
  return home->readiness == NULL ? -1 : home->readiness->set;
}

static napi_value control(napi_env env, Environment *home, int operation, napi_value *args) {
  int32_t fd, token, interest;
  if (!read_int(env, args[0], "fd", &fd) || !read_int(env, args[1], "token", &token) ||
      !read_optional_int(env, args[2], "interest", (int32_t)INTEREST, &interest)) {
    return NULL;
  }
  int set = set_of(home);
  if (set < 0) return result(env, -1);
  struct epoll_event event = {.events = (uint32_t)interest, .data.u32 = (uint32_t)token};
  return result(env, epoll_ctl(set, operation, fd, &event));
}

static napi_value watch(napi_env env, napi_callback_info info) {
  ARGUMENTS(3);
  return control(env, home, EPOLL_CTL_ADD, args);
}

static napi_value rewatch(napi_env env, napi_callback_info info) {
  ARGUMENTS(3);
  return control(env, home, EPOLL_CTL_MOD, args);
}

static napi_value unwatch(napi_env env, napi_callback_info info) {
  ARGUMENTS(1);
  int32_t fd;
  if (!read_int(env, args[0], "fd", &fd)) return NULL;
  int set = set_of(home);
  return result(env, set < 0 ? -1 : epoll_ctl(set, EPOLL_CTL_DEL, fd, NULL));
}

static napi_value ref(napi_env env, napi_callback_info info) {
  ARGUMENTS(1);
  if (home->readiness != NULL) uv_ref((uv_handle_t *)&home->readiness->poll);
  return number(env, 0);
}

static napi_value unref(napi_env env, napi_callback_info info) {
  ARGUMENTS(1);
  if (home->readiness != NULL) uv_unref((uv_handle_t *)&home->readiness->poll);
  return number(env, 0);
}

const Method readiness_methods[] = {
    {"onEvents", on_events},
    {"watch", watch},
    {"rewatch", rewatch},
    {"unwatch", unwatch},
    {"ref", ref},
    {"unref", unref},
    {NULL, NULL},
};
