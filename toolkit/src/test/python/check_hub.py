"""Holds the hub cache and the stand-in hub of the tests against Hugging Face's own library.

    check_hub.py CLASSPATH

CLASSPATH holds the toolkit's classes, its test classes and what both need. A stand-in hub (ServeFakeHub)
serves a small model and adapter; Python fills a cache that peft4j reads offline, and the other way round; both must
have named the same contents alike. Then Python pushes to the stand-in, as peft4j does in PushTest.
Needs huggingface_hub, transformers and peft.
"""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

RESOURCES = pathlib.Path(__file__).parent.parent / "resources/golden/hf"
FILL = """
from peft import PeftModel
from transformers import AutoModelForCausalLM
model = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained("org/tiny"), "me/adapter")
print(sum(p.numel() for p in model.parameters()))
"""
SCAN = """
from huggingface_hub import scan_cache_dir, try_to_load_from_cache, _CACHED_NO_EXIST
found = scan_cache_dir()
assert not found.warnings and not found.incomplete_files, found
assert sorted(r.repo_id for r in found.repos) == ["me/adapter", "org/tiny"]
assert all(r.refs for repo in found.repos for r in repo.revisions)
assert try_to_load_from_cache("org/tiny", "generation_config.json") is _CACHED_NO_EXIST
"""
PUSH = """
import sys
from huggingface_hub import HfApi
api = HfApi()
api.create_repo("me/new", private=True)
api.upload_folder(repo_id="me/new", folder_path=sys.argv[1])
"""


def java(classpath, main, *arguments):
    return ["java", "-cp", classpath, "-Djava.awt.headless=true", main, *arguments]


def contents(cache):
    """What a cache holds of the two repositories: links with where they lead, blobs, branches."""
    out = {}
    for path in sorted(cache.rglob("*")):
        name = str(path.relative_to(cache))
        if path.is_symlink():
            out[name] = os.readlink(path)
        elif path.is_file() and ".no_exist" not in name and name != "CACHEDIR.TAG":
            out[name] = path.read_bytes()
    return out


def main(classpath):
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        shutil.copytree(RESOURCES / "base/llama", root / "served/org/tiny")
        shutil.copytree(RESOURCES / "adapters/llama/lora_default", root / "served/me/adapter")
        token = {"HF_TOKEN": "hf_secret", "HF_HUB_DISABLE_XET": "1"}
        hub = subprocess.Popen(
            java(classpath, "org.peft4j.hub.ServeFakeHub", str(root / "served")),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **token},
        )
        base = {**os.environ, **token, "HF_ENDPOINT": hub.stdout.readline().strip()}
        base.pop("HF_HUB_CACHE", None)
        info = java(
            classpath, "org.peft4j.cli.Main", "info", "--model", "hub:org/tiny", "--adapter", "hub:me/adapter"
        )
        try:
            for first in ("python", "java"):
                env = {**base, "HF_HOME": str(root / first)}
                offline = {**env, "HF_HUB_OFFLINE": "1"}
                commands = [[sys.executable, "-c", FILL], info]
                if first == "java":
                    commands.reverse()
                subprocess.run(commands[0], env=env, check=True, stdout=subprocess.DEVNULL)
                subprocess.run(commands[1], env=offline, check=True, stdout=subprocess.DEVNULL)
                print(f"filled by {first}, read by the other")
            subprocess.run([sys.executable, "-c", SCAN], env={**base, "HF_HOME": str(root / "java")}, check=True)
            assert contents(root / "python/hub") == contents(root / "java/hub")
            print("the caches are alike")
            adapter = root / "served/me/adapter"
            subprocess.run([sys.executable, "-c", PUSH, str(adapter)], env=base, check=True)
        finally:
            hub.communicate()
        for file in adapter.iterdir():
            assert (root / "served/me/new" / file.name).read_bytes() == file.read_bytes(), file
        print("pushed by python, taken by the stand-in")


if __name__ == "__main__":
    main(sys.argv[1])
