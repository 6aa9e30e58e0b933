package ucstest_test

import (
	"context"
	"errors"
	"testing"

	"github.com/ictmedia/schoolmail/ucs/ucstest"
)

// Run gives a directory for one call and hands its error on.
func TestRun(t *testing.T) {
	t.Parallel()
	var kept *ucstest.Server
	want := errors.New("mine")
	err := ucstest.Run(func(ctx context.Context, s *ucstest.Server) error {
		kept = s
		if !s.Exists("cn=x.example,cn=domain,cn=mail,"+s.BaseDN) || ctx.Err() != nil {
			t.Error("options are ignored, or the context has ended")
		}
		if _, err := search(dial2(t, s), s.BaseDN, 0, "(dc=*)"); err == nil {
			t.Error("an anonymous search was answered")
		}
		return want
	}, ucstest.WithMailDomains("x.example"))
	if !errors.Is(err, want) {
		t.Errorf("error = %v", err)
	}
	if err := kept.Close(); err != nil {
		t.Errorf("closing again: %v", err)
	}
	if err := ucstest.Run(func(context.Context, *ucstest.Server) error { return nil },
		ucstest.WithBaseDN("x")); err == nil {
		t.Error("a mistake in the options is not reported")
	}
}
