# SPDX-License-Identifier: MIT
"""What `import memwhy` costs a program: what it brings along, the program has not asked for."""
from processes import run


def test_importing_memwhy_imports_no_module_in_python_but_its_own():
    out = run("""
        import sys
        before = set(sys.modules)
        import memwhy
        for name in sorted(set(sys.modules) - before):
            module = sys.modules[name]
            if name.partition(".")[0] != "memwhy" and getattr(module, "__file__", None):
                print(name)
        """)
    assert out == "", out


def test_the_modules_that_are_seldom_used_come_when_they_are():
    out = run("""
        import sys, memwhy
        print("memwhy.middleware" in sys.modules, "memwhy._doctor" in sys.modules,
              "memwhy._export" in sys.modules)
        """)
    assert out == "False False False\n"
