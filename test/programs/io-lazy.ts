// Which machinery is there after importing Curio, and which driver runs when one is asked for.

import 'curio';
import 'curio/socket';
import { driverInfo } from 'curio/io';

const { sharedObjects } = process.report.getReport() as unknown as { sharedObjects: string[] };
const addons = sharedObjects.filter((file) => file.includes('curio-posix') || file.includes('prebuilt'));
console.log(`loaded: ${addons.join(' ') || 'nothing'}`);
console.log(`driver: ${driverInfo().name}`);
