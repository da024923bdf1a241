# Built by scripts/build-native.mjs, which passes nodedir, node_addon_api_dir and libsecp256k1_dir.
{
  'variables': {
    'node_addon_api_dir%': 'node_modules/node-addon-api',
    # Holds the C source of libsecp256k1: include/ and src/.
    'libsecp256k1_dir%': 'node_modules/secp256k1-wasm/depend/secp256k1',
  },
  'targets': [
    {
      'target_name': 'amop_native',
      'sources': [
        'native/addon.cc',
        'native/binding/scanner_wrap.cc',
        'native/binding/secp256k1_wrap.cc',
        'native/binding/signature_batch.cc',
        'native/core/frame_scanner.cc',
        'native/core/keccak.cc',
        'native/core/libsecp256k1.c',
        'native/core/secp256k1.cc',
        'native/core/topic_interner.cc',
      ],
      'include_dirs': ['<(node_addon_api_dir)', '<(libsecp256k1_dir)'],
      'defines': [
        # Version 8 is in every supported Node, so that one build loads in all of them.
        'NAPI_VERSION=8',
        'NODE_ADDON_API_DISABLE_CPP_EXCEPTIONS',
        'NODE_ADDON_API_DISABLE_DEPRECATED',
        # A worker that is terminated inside a call cannot throw any more; without this node-addon-api then aborts the process.
        'NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS',
      ],
      # Whatever standard and optimisation the headers of this Node bring, ours are fixed.
      'cflags_cc!': ['-std=gnu++17', '-std=gnu++20', '-std=gnu++23', '-fexceptions'],
      'cflags_cc': [
        '-std=c++17', '-fno-exceptions', '-fno-rtti', '-fvisibility=hidden',
        '-Wall', '-Wextra', '-Wpedantic', '-Wconversion', '-Wno-unused-parameter',
      ],
      'conditions': [
        # Lazy binding saves registers, and what was last in them, to the stack: parts of private keys too.
        ['OS=="linux"', { 'ldflags': ['-Wl,-z,relro,-z,now'] }],
      ],
      'cflags_c': ['-std=gnu99', '-fvisibility=hidden'],
      'configurations': {
        'Release': {
          'cflags!': ['-O3'],
          'cflags': ['-O2'],
        },
      },
      'xcode_settings': {
        'CLANG_CXX_LANGUAGE_STANDARD': 'c++17',
        'GCC_ENABLE_CPP_EXCEPTIONS': 'NO',
        'GCC_SYMBOLS_PRIVATE_EXTERN': 'YES',
        'MACOSX_DEPLOYMENT_TARGET': '11.0',
      },
    },
  ],
}
