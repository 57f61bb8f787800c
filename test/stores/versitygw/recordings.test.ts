import { describeRecordings } from '../../support/stores/recording-contract.ts';
import { startVersity } from '../../support/stores/versitygw.ts';

describe('a recording on VersityGW', () => describeRecordings(() => startVersity()));
