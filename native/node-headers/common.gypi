# What node-gyp includes as include/node/common.gypi when Node's own headers are not installed beside its executable and the
# plain C headers of the npm package node-api-headers are used instead: only what a Node-API addon needs.
{
  'target_defaults': {
    'default_configuration': 'Release',
    'configurations': {
      'Debug': {
        'cflags': ['-g', '-O0'],
      },
      'Release': {
        'cflags': ['-O2', '-fno-omit-frame-pointer'],
      },
    },
    'conditions': [
      ['OS in "linux freebsd openbsd"', {
        'cflags': ['-pthread', '-fPIC'],
        'ldflags': ['-pthread', '-rdynamic'],
      }],
      ['OS=="mac"', {
        'xcode_settings': {
          'GCC_DYNAMIC_NO_PIC': 'NO',
          'PREBINDING': 'NO',
          'USE_HEADERMAP': 'NO',
        },
        'conditions': [
          ['target_arch=="x64"', { 'xcode_settings': { 'ARCHS': ['x86_64'] } }],
          ['target_arch=="arm64"', { 'xcode_settings': { 'ARCHS': ['arm64'] } }],
        ],
      }],
    ],
  },
}
