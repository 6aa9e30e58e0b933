package main

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestReport(t *testing.T) {
	t.Parallel()
	for name, x := range map[string]struct{ events, want string }{
		"all there": {`{"Action":"output","Package":"a","Output":"PASS\n"}
{"Action":"output","Package":"a","Output":"ok  \ta\t0.1s\n"}
{"Action":"pass","Package":"a"}`, "ok  \ta\t0.1s\nnothing was skipped for want of a server or a program\n"},
		"skipped": {`{"Action":"output","Package":"a","Test":"T1","Output":"    x.go:1: lacking: slapd\n"}
{"Action":"skip","Package":"a","Test":"T1"}
{"Action":"output","Package":"a","Test":"T2/sub","Output":"    x.go:1: lacking: dovecot\n"}
{"Action":"output","Package":"a","Test":"T3","Output":"    x.go:1: lacking: dovecot\n"}
{"Action":"output","Package":"a","Test":"T4","Output":"    x.go:1: some other reason\n"}
{"Action":"output","Package":"a","Output":"ok  \ta\t0.1s\n"}
{"Action":"pass","Package":"a"}`, "ok  \ta\t0.1s\nskipped for want of: dovecot (2 tests), slapd (1 tests)\n"},
		"failed": {`{"Action":"output","Package":"a","Test":"T1","Output":"    x.go:1: wrong\n"}
{"Action":"output","Package":"a","Output":"FAIL\ta\t0.1s\n"}
{"Action":"fail","Package":"a"}`,
			"    x.go:1: wrong\nFAIL\ta\t0.1s\nnothing was skipped for want of a server or a program\n"},
		"does not compile": {`{"Action":"build-output","Output":"x.go:1: no\n"}
{"Action":"output","Package":"a","Output":"FAIL\ta [build failed]\n"}`,
			"FAIL\ta [build failed]\nnothing was skipped for want of a server or a program\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var b strings.Builder
			report(&b, strings.NewReader(x.events))
			if diff := cmp.Diff(x.want, b.String()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// It ends as "go test" does.
func TestExitStatus(t *testing.T) {
	t.Parallel()
	out, err := exec.Command("go", "run", ".", "-run", "^$", "./no-such-package").CombinedOutput()
	if err == nil {
		t.Errorf("a package that is not there: %s", out)
	}
}
