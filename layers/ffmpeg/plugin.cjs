/**
 * Lets `osls package` and `osls deploy` build the layer where nobody has built it yet, and lets `package` work without
 * an account: osls asks CloudFormation whether the layer has changed, which only a deployment needs to know.
 */
const { existsSync } = require('node:fs');
const path = require('node:path');

module.exports = class FfmpegLayerPlugin {
  constructor(serverless) {
    const root = serverless.serviceDir;
    const prepare = async () => {
      if (serverless.processedInput.commands[0] === 'package') {
        const compiler = serverless.pluginManager.plugins.find((plugin) => 'compareWithLastLayer' in plugin);
        if (compiler) compiler.compareWithLastLayer = async () => {};
      }
      if (existsSync(path.join(root, 'layers/ffmpeg/build/layer/bin/ffmpeg'))) return;
      const { buildLayer } = await import('./build.mjs');
      buildLayer({ arch: serverless.service.provider.architecture });
    };
    this.hooks = { 'before:package:createDeploymentArtifacts': prepare };
  }
};
