"""torch_step.py with the model under torch.compile. Same usage and names."""
import importlib
import os
import runpy
import sys

import torch

sys.path.insert(0, os.path.join(os.environ["REF_HOME"], "an-yongqi+systematic-outliers/gpt-2"))
MODULES = {"softmax": "default", "value_bias": "vbias", "context_bias": "cabias", "attention_bias": "attn_bias",
           "context_scale": "ca_softmax", "sigmoid": "sigmoid"}
model = importlib.import_module("model_" + MODULES[sys.argv[2]])   # torch_step.py will find this one
model.GPT.forward = torch.compile(model.GPT.forward, dynamic=False)
runpy.run_path(os.path.join(os.path.dirname(os.path.abspath(__file__)), "torch_step.py"), run_name="__main__")
