"""A program rule says which exit statuses are errors."""
import subprocess


def check(run):
    (trace,) = run.traces()
    expect((trace["exit_code"], trace["status"]), (1, "ok"), "exit 1 is fine")
    # the same program, ending with 2
    subprocess.run([run.case.handspan, "run", "-m", run.case.manifest,
                    "--summary=never", "--", run.case.program, "2"],
                   env=run.env, check=False, timeout=300)
    run.stored()
    (trace,) = [t for t in run.traces() if t["exit_code"] == 2]
    expect(trace["status"], "error", "exit 2 is not")
