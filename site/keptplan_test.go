package site

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A plan that is kept names nobody: the names are in the file beside it.
func TestKeptPlansNameNobody(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file, names := filepath.Join(dir, "plan.json"), filepath.Join(dir, "names.json")
	if err := keepPlan(file, names, pagesAct().Plan, newRegister()); err != nil {
		t.Fatal(err)
	}
	plan, err := os.ReadFile(file)
	if err != nil || strings.Contains(string(plan), "Ida") || strings.Contains(string(plan), "Lea") {
		t.Errorf("the plan: %v\n%s", err, plan)
	}
	if beside, err := os.ReadFile(names); err != nil || !strings.Contains(string(beside), "Ida") {
		t.Errorf("the names: %v\n%s", err, beside)
	}
}
