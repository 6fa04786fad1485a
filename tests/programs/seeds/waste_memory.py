#!/usr/bin/env python
# -*- coding:utf-8 -*-
# SPDX-License-Identifier: MIT
# From the note "用tracemalloc来掌握内存的使用与泄漏情况".
import os


class MyObject:
    def __init__(self):
        # 获取一个指定长度的bytes对象
        self.data = os.urandom(100)


def get_data():
    values = []
    for _ in range(100):
        obj = MyObject()
        values.append(obj)
    return values


def run():
    deep_values = []
    for _ in range(100):
        deep_values.append(get_data())
    return deep_values
