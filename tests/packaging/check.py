#!/usr/bin/env python3
"""Checks the files of deploy/ as far as tools can without a container, a cluster or systemd as the first process.

    tests/packaging/check.py target/debug/api-together

Needs the packages of requirements.txt; `.ci/run` installs them. Each check prints a line. The exit code is 1 if one failed.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import helm_python as helm
import yaml

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
BIN = Path(sys.executable).parent
ENV = {"PATH": os.environ["PATH"], "API_TOGETHER_KEY": "sk-pool-0123456789", "OPENAI_API_KEY": "sk-openai-0123456789",
       "POOL_KEY": "sk-pool-0123456789", "OPENROUTER_KEY": "sk-or-0123456789", "REDIS_URL": "redis://redis:6379/0"}


def run(*command, **options):
    """Returns what a command printed. Fails with all of its output."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, **options)
    assert done.returncode == 0, f"{command}: exit code {done.returncode}\n{done.stdout}{done.stderr}"
    return done.stdout


def is_valid_configuration(text, program):
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "apis.json").write_text(text)
        run(program, "check", "--config", "apis.json", cwd=folder, env=ENV)


def the_dockerfile_has_no_finding(_):
    run(BIN / "hadolint", "--no-color", DEPLOY / "Dockerfile")


def the_image_gets_every_file_that_the_build_needs(_):
    """What `COPY` takes must not be left out by .dockerignore."""
    kept = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    copies = [line.split()[1:-1] for line in (DEPLOY / "Dockerfile").read_text().splitlines()
              if line.startswith("COPY ") and "--from" not in line]
    for name in sum(copies, []):
        assert (ROOT / name).exists(), f"COPY {name}: no such file"
        assert any(keep == name or keep.startswith(f"{name}/") for keep in kept), f"{name} is in .dockerignore"
    assert not any(keep in ("config", "config/apis.json", ".env", "data") for keep in kept), "keys would be in the image"


def compose_files_name_what_is_there(_):
    for name in ("compose.yaml", "single.yaml"):
        file = yaml.safe_load((DEPLOY / name).read_text())
        for service in file["services"].values():
            if "build" in service:
                assert (DEPLOY / service["build"]["context"] / service["build"]["dockerfile"]).exists()
            for volume in service.get("volumes", []):
                source = volume.split(":")[0]
                is_there = (DEPLOY / source).exists() if source.startswith(".") else source in file["volumes"]
                assert is_there, f"{name}: {volume}"
        for config in file.get("configs", {}).values():
            assert "content" in config or (DEPLOY / config["file"]).exists(), f"{name}: {config}"


def kustomize_renders(program):
    documents = list(yaml.safe_load_all(run(BIN / "kubectl", "kustomize", DEPLOY)))
    of = {(it["kind"], it["metadata"]["name"]): it for it in documents}
    is_valid_configuration(of["ConfigMap", "api-together"]["data"]["apis.json"], program)
    pod = of["Deployment", "api-together"]["spec"]["template"]["spec"]
    matches_the_image(pod)


def matches_the_image(pod):
    """The user and the folders are those of deploy/Dockerfile."""
    lines = (DEPLOY / "Dockerfile").read_text()
    assert f"USER {pod['securityContext']['runAsUser']}\n" in lines, "another user than the image's"
    for mount in pod["containers"][0]["volumeMounts"]:
        assert f" {mount['mountPath']}" in lines, f"the image has no {mount['mountPath']}"


def the_helm_chart_has_no_finding_and_renders(program):
    findings = helm.lint(str(DEPLOY / "helm"))
    serious = [it for it in findings["messages"] if it["severity"] > 1]
    assert not serious and not findings["errors"], findings
    store = {"store": {"url": "${REDIS_URL}"}}
    cases = [{}, {"data": {"persistent": False}}, {"replicas": 3, "config": store}, {"nodeSelector": {"disk": "ssd"},
             "tolerations": [{"operator": "Exists"}], "podAnnotations": {"a": "b"}, "data": {"storageClass": "fast"}}]
    with helm.Chart.load(str(DEPLOY / "helm")) as chart:
        for values in cases:
            rendered = chart.render(values, name="pool", namespace="default")
            text = rendered["api-together/templates/api-together.yaml"]
            of = {it["kind"]: it for it in yaml.safe_load_all(text)}
            is_valid_configuration(of["ConfigMap"]["data"]["apis.json"], program)
            template = of["StatefulSet"]["spec"]["template"]
            matches_the_image(template["spec"])
            assert template["metadata"]["labels"].items() >= of["Service"]["spec"]["selector"].items()
        try:
            chart.render({"replicas": 2}, name="pool", namespace="default")
        except helm.HelmError as error:
            assert "store" in str(error), error
        else:
            raise AssertionError("two servers without a store would send twice what a limit allows")


def the_unit_of_systemd_is_sound(program):
    if not shutil.which("systemd-analyze"):
        print("  (no systemd-analyze here)")
        return
    unit = (DEPLOY / "api-together.service").read_text()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "api-together.service"
        file.write_text(unit.replace("/usr/bin/api-together", str(Path(program).resolve())))
        # Words that systemd does not know are no error to the command.
        verified = subprocess.run(["systemd-analyze", "verify", file], capture_output=True, text=True, timeout=120)
        assert verified.returncode == 0 and file.name not in verified.stderr, verified.stderr
        # Exposure from 0 (sandboxed) to 10, here times ten.
        run("systemd-analyze", "security", "--offline=yes", "--threshold=20", file)


def main():
    program = Path(sys.argv[1]).resolve()
    checks = [the_dockerfile_has_no_finding, the_image_gets_every_file_that_the_build_needs, compose_files_name_what_is_there,
              kustomize_renders, the_helm_chart_has_no_finding_and_renders, the_unit_of_systemd_is_sound]
    failed = 0
    for check in checks:
        name = check.__name__.replace("_", " ")
        try:
            check(program)
            print(f"ok      {name}")
        except Exception as error:
            failed += 1
            print(f"FAILED  {name}: {json.dumps(str(error), ensure_ascii=False)[1:-1]}")
    print(f"{len(checks) - failed} passed, {failed} failed")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
