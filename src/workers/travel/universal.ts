/*
 * To be imported where universal objects may arrive: their classes, and how stand-ins for them are made.
 */

import '../../universal/event.ts';
import '../../universal/queue.ts';
import '../../universal/result.ts';
import { sharedFrom } from '../../universal/shared.ts';
import { admitShared } from './arrival.ts';

admitShared(sharedFrom);
