package breaks

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// TestFailuresThatAreNoNotice: what a test program says counts only while the same tests still pass without
// the break. A disk that has become full in between, or a program that was killed, says nothing.
func TestFailuresThatAreNoNotice(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, script string
		noticed, err bool
		anyway       bool
	}{
		{"the break is noticed", `[ $SCHOOLMAIL_BREAK = 0 ] || { echo "--- FAIL: TestA (0.00s)"; exit 1; }`, true, false,
			false},
		{"nothing fails", `exit 0`, false, false, false},
		{"all fails", `echo "--- FAIL: TestA (0.00s)"; exit 1`, false, true, true},
		{"all fails after the first run", `[ -e ran ] && { echo "--- FAIL: TestA (0.00s)"; exit 1; }; touch ran`, false, true,
			true},
		{"all fails after the first run, without a word", `[ -e ran ] && exit 2; touch ran`, false, true, true},
		{"killed", `[ $SCHOOLMAIL_BREAK = 0 ] || kill -KILL $$`, false, true, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			file := filepath.Join(dir, "program")
			if err := os.WriteFile(file, []byte("#!/bin/sh\n"+tt.script+"\n"), 0o700); err != nil {
				t.Fatal(err)
			}
			p := &program{name: "p", dir: dir, file: file, sound: map[string]bool{}}
			noticed, _, err := p.asked(t.Context(), p.all(true), 3)
			if noticed != tt.noticed || (err != nil) != tt.err || errors.Is(err, ErrFailsAnyway) != tt.anyway {
				t.Errorf("noticed %v, %v", noticed, err)
			}
		})
	}
}
