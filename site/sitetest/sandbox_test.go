package sitetest_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/internal/testlife"
	"github.com/ictmedia/schoolmail/site/district"
	"github.com/ictmedia/schoolmail/site/sitetest"
)

func ExampleStart() {
	s, err := sitetest.Start(sitetest.WithPeople(60), sitetest.WithSchools(5))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer s.Close()
	fmt.Println(s.District.Len(), "people,", len(s.District.Schools()), "schools,", len(s.Policy.Contexts), "contexts")
	fmt.Println(s.Policy.Validate())
	// Output:
	// 60 people, 5 schools, 6 contexts
	// <nil>
}

// Whenever the sandbox is started, its first day is not in the future.
func TestFirstDay(t *testing.T) {
	t.Parallel()
	for today, want := range map[string]string{"2026-08-10": "2026-08-10", "2026-11-23": "2026-08-10",
		"2031-01-01": "2026-08-10",
		"2026-08-09": "2025-08-10", "2025-08-10": "2025-08-10", "2024-02-29": "2023-08-10"} {
		d, err := schoolmail.ParseDate(today)
		if err != nil {
			t.Fatal(err)
		}
		if got := sitetest.FirstDay(d).String(); got != want {
			t.Errorf("on %s: %s, want %s", today, got, want)
		}
	}
}

// TestWriteDir: what other programs rely on is in the folder, and true.
func TestWriteDir(t *testing.T) {
	t.Parallel()
	s := testlife.Of(sitetest.Start(sitetest.WithPeople(40), sitetest.WithSeed(7)))(t)
	if err := s.CreateContexts(); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for range 2 { // over an old one as well
		if err := s.WriteDir(dir); err != nil {
			t.Fatal(err)
		}
	}
	other := t.TempDir() // somebody's own
	for _, name := range []string{"export", "district.toml"} {
		mine := filepath.Join(other, name)
		if err := os.Mkdir(mine, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := s.WriteDir(other); err == nil || !strings.Contains(err.Error(), "left alone") {
			t.Errorf("a folder with %s: %v", name, err)
		}
		if err := os.Remove(mine); err != nil {
			t.Error(err)
		}
	}
	b, err := os.ReadFile(filepath.Join(dir, "sandbox.json"))
	if err != nil {
		t.Fatal(err)
	}
	var info map[string]any
	if err := json.Unmarshal(b, &info); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"ox_soap_url", "ox_http_url", "ox_master_login", "ox_master_password", "ldap_url",
		"ldap_bind_dn", "ldap_password",
		"ldap_base_dn", "doveadm_url", "doveadm_api_key", "imap_addr", "smtp_addr"} {
		if v, ok := info[key].(string); !ok || v == "" {
			t.Errorf("%s is %v", key, info[key])
		}
	}
	if cs, ok := info["contexts"].([]any); !ok || len(cs) != 6 {
		t.Errorf("contexts: %v", info["contexts"])
	}
	soap := info["ox_soap_url"].(string)
	if !strings.HasSuffix(soap, "/webservices") {
		t.Errorf("ox_soap_url %s", soap)
	}
	res, err := http.Get(soap + "/OXUserService?wsdl")
	if err != nil {
		t.Fatal(err)
	}
	wsdl, err := io.ReadAll(res.Body)
	res.Body.Close()
	if err != nil || res.StatusCode != 200 || !strings.Contains(string(wsdl), "createByModuleAccessName") {
		t.Errorf("?wsdl: %s %v", res.Status, err)
	}
	c, err := district.Load(filepath.Join(dir, "district.toml"), nil)
	if err != nil {
		t.Fatalf("the configuration is refused:\n%v", err)
	}
	for _, p := range district.Programs() {
		if _, err := district.Load(filepath.Join(dir, "district.toml"), &district.Options{Program: p}); err != nil {
			t.Errorf("%s refuses it:\n%v", p, err)
		}
	}
	if got, want := len(c.Policy().Contexts), len(s.Policy.Contexts); got != want {
		t.Errorf("%d contexts, want %d", got, want)
	}
	if files, err := filepath.Glob(filepath.Join(dir, "export", "*.csv")); err != nil || len(files) == 0 {
		t.Errorf("no export: %v", err)
	}
}
