import { describeStorage } from '../../support/stores/storage-contract.ts';
import { startVersity } from '../../support/stores/versitygw.ts';

describe('storage on VersityGW', () => describeStorage(() => startVersity()));
