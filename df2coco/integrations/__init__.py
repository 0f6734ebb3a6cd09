"""What training frameworks must know about the dataset: one small module each.

`import df2coco` imports none of them, and none of them imports its framework before a function that
needs it is called.
"""
