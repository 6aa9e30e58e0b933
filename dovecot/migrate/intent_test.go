package migrate

import (
	"os"
	"testing"
	"time"
)

// The state may be saved while a batch's messages are still being entered: the
// file of intents is emptied only when the state knows all of them.
func TestIntentsOutliveASave(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s, err := openState(dir, "a")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.intend("f", 1, []*message{{uid: 1, digest: digest{1}}, {uid: 2, digest: digest{2}}}); err != nil {
		t.Fatal(err)
	}
	s.flushed = time.Time{} // the next entry is saved at once
	if err := s.put("f", 1, entry{dst: 1}); err != nil {
		t.Fatal(err)
	}
	// Killed here: nothing is closed in order, and a copy of the files is opened.
	left := func() int {
		t.Helper()
		to := t.TempDir()
		for _, name := range []string{"a.db", "a.intent"} {
			b, err := os.ReadFile(dir + "/" + name)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(to+"/"+name, b, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		k, err := openState(to, "a")
		if err != nil {
			t.Fatal(err)
		}
		defer k.close()
		return len(k.intents)
	}
	if n := left(); n != 2 {
		t.Errorf("%d intents are left in the middle of the batch, want both", n)
	}
	if err := s.put("f", 2, entry{dst: 2}); err != nil {
		t.Fatal(err)
	}
	s.underWay = nil
	if err := s.save(nil); err != nil {
		t.Fatal(err)
	}
	if n := left(); n != 0 {
		t.Errorf("%d intents are left after all has been saved", n)
	}
	s.close()
}
