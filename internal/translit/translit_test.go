package translit

import "testing"

func TestLetter(t *testing.T) {
	t.Parallel()
	for r, want := range map[rune]string{'Ա': "A", 'ქ': "k`", 'Ж': "Zh", '李': "Li", 'a': "a", ' ': "",
		'\ue000': ""} {
		if got := Letter(r); got != want {
			t.Errorf("%c: %q, want %q", r, got, want)
		}
	}
}
