"""Plain scripts over files, run one after another: finetune, export, evaluate.

They import nothing of the project, so they also run on a machine that has no game.
"""
