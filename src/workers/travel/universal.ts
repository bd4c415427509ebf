/*
 * To be imported where objects may arrive that cross as handles: the classes of universal ones, and how stand-ins for them
 * are made, and sockets and files in blocking mode.
 */

import { BlockingDescriptor } from '../../io/portable/blocking.ts';
import { PosixBlocking } from '../../io/posix/blocking.ts';
import '../../universal/event.ts';
import '../../universal/queue.ts';
import '../../universal/result.ts';
import { sharedFrom } from '../../universal/shared.ts';
import { admitShared } from './arrival.ts';

admitShared((handle) => PosixBlocking.from(handle) ?? BlockingDescriptor.from(handle) ?? sharedFrom(handle));
