package district

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/escada"
)

var update = flag.Bool("update", false, "write the golden files anew")

// small is the least that a config needs.
func small() *Config {
	return &Config{
		Export:    Export{Dir: "export"},
		Directory: Directory{URL: "ldap://127.0.0.1:389", Plaintext: true},
		OX: OX{SOAPURLs: []string{"http://127.0.0.1:80/webservices"}, MasterLogin: "oxadminmaster",
			MasterPassword: "master-secret"},
		Mail:    Mail{URL: "http://127.0.0.1:8080/doveadm/v1", APIKey: "dovecot-secret"},
		Notices: Notices{Addr: "127.0.0.1:25", From: "it@example.org"},
		State:   State{Dir: "state"},
		Contexts: []Context{
			{ID: 11, Name: "teachers", AdminLogin: "oxadmin", AdminPassword: "admin-secret"},
			{ID: 21, Name: "pupils", Capacity: 500, Headroom: 20, AdminLogin: "oxadmin", AdminPassword: "admin-secret"},
		},
		Populations: []Population{
			{Name: "teachers", Roles: []schoolmail.Role{"teacher", "staff"}, Contexts: []schoolmail.ContextID{11},
				Domain: "schule.example.org", Access: "groupware_standard"},
			{Name: "pupils", Roles: []schoolmail.Role{"pupil"}, Levels: []schoolmail.SchoolLevel{"primary", "secondary"},
				Contexts: []schoolmail.ContextID{21}, Domain: "lernen.example.org", Access: "webmail"},
		},
	}
}

// save writes text into a new directory.
func save(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "district.toml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func write(t *testing.T, c *Config) string {
	t.Helper()
	var b bytes.Buffer
	if err := Write(&b, c); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// parse reads all sections of a text, without checking what they say.
func parse(file string, data []byte) (*Config, error) {
	l := newLoader(file, data, nil)
	if l.parse(data); len(l.errs) > 0 {
		return nil, l.sorted()
	}
	return l.c, nil
}

func load(t *testing.T, file string) *Config {
	t.Helper()
	c, err := Load(file, nil)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestGolden(t *testing.T) {
	t.Parallel()
	got := write(t, small())
	path := filepath.Join("testdata", "small.toml")
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-update writes it anew):\n%s", path, diff)
	}
}

// Every default that the written file shows as a comment is the one that Load
// fills in: with all comments of keys made real, the config is the same.
func TestShownDefaultsAreTrue(t *testing.T) {
	t.Parallel()
	text := write(t, small())
	want := load(t, save(t, text))
	var all strings.Builder
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "# [[") || strings.HasPrefix(line, "# [") {
			break // the rest are examples, not defaults
		}
		all.WriteString(line)
	}
	head, rest := all.String(), text[all.Len():]
	examples := strings.Index(rest, "\n[directory]")
	uncomment := func(s string) string {
		var b strings.Builder
		for line := range strings.Lines(s) {
			key, _, isKey := strings.Cut(strings.TrimPrefix(line, "# "), " = ")
			if strings.HasPrefix(line, "# ") && isKey && !strings.Contains(key, " ") {
				line = line[2:]
			}
			b.WriteString(line)
		}
		return b.String()
	}
	rest = rest[examples+strings.Index(rest[examples:], "[directory]"):]
	end := strings.Index(rest, "\n# [[term_change]]")
	got := load(t, save(t, uncomment(head)+uncomment(rest[:end])))
	ignore := cmp.Options{cmpopts.IgnoreFields(Config{}, "File", "Warnings"),
		cmpopts.IgnoreFields(Export{}, "Dir", "Files"), cmpopts.IgnoreFields(State{}, "Dir"), cmpopts.EquateEmpty()}
	if diff := cmp.Diff(want, got, ignore); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"*.csv", "*.txt"}, got.Export.Files); diff != "" {
		t.Error(diff)
	}
}

// fill sets every field to something that is not its default.
func fill(v reflect.Value, n *int) {
	*n++
	switch x := v.Addr().Interface().(type) {
	case *schoolmail.Date:
		*x = schoolmail.NewDate(2027, 8, 1).AddDays(*n)
		return
	case *schoolmail.Role:
		*x = schoolmail.RolePupil
		return
	case *time.Time:
		*x = time.Date(2027, 8, 1, 18, *n%60, 0, 0, time.FixedZone("", 7200))
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(fmt.Sprintf("t%d \"ü\\\t", *n))
	case reflect.Int, reflect.Int64, reflect.Int32:
		v.SetInt(int64(*n%50 + 60))
	case reflect.Float64:
		v.SetFloat(0.25)
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), n)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		for i := range 2 {
			fill(v.Index(i), n)
		}
	case reflect.Map:
		m := reflect.MakeMap(v.Type())
		key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		fill(key, n)
		fill(value, n)
		m.SetMapIndex(key, value)
		v.Set(m)
	case reflect.Struct:
		for i := range v.NumField() {
			if name := v.Type().Field(i).Name; name != "File" && name != "Warnings" && !strings.HasSuffix(name, "File") {
				fill(v.Field(i), n)
			}
		}
	default:
		panic(v.Type().String())
	}
}

// Whatever a config holds, Write writes it and parse reads it: no field is forgotten.
func TestWriteKnowsEveryField(t *testing.T) {
	t.Parallel()
	var want Config
	n := 0
	fill(reflect.ValueOf(&want).Elem(), &n)
	// Keys of tables must be possible ones.
	want.Export.Columns = map[escada.Column][]string{escada.ColumnID: {"Nr", "ü"}}
	want.Export.Levels = map[string][]string{"Stufe ü": {"x"}}
	want.Export.Described, want.Export.Rekeyings = nil, nil
	for i := range want.Sources {
		want.Sources[i].Described = nil
	}
	got, err := parse("x", []byte(write(t, &want)))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(&want, got, cmpopts.IgnoreFields(Config{}, "File")); diff != "" {
		t.Error(diff)
	}
	// The same with secrets in files.
	for _, s := range want.secretFields() {
		*s.value, *s.file = "", "f"
	}
	for _, f := range []*string{&want.Directory.CAFile, &want.OX.CAFile, &want.Mail.CAFile, &want.Notices.CAFile} {
		*f = "ca.pem"
	}
	got, err = parse("x", []byte(write(t, &want)))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(&want, got, cmpopts.IgnoreFields(Config{}, "File")); diff != "" {
		t.Error(diff)
	}
}

// Every field of a policy survives, but holds and renames, which are asked for by flags.
func TestPolicyIsWhole(t *testing.T) {
	t.Parallel()
	var want schoolmail.Policy
	n := 0
	fill(reflect.ValueOf(&want).Elem(), &n)
	want.Holds, want.Renames = nil, nil
	var c Config
	c.FromPolicy(want)
	if diff := cmp.Diff(want, c.Policy()); diff != "" {
		t.Error(diff)
	}
	again, err := parse("x", []byte(write(t, &c)))
	if err != nil {
		t.Fatal(err)
	}
	want.Rekeyings = nil // they stand in files of their own
	if diff := cmp.Diff(want, again.Policy()); diff != "" {
		t.Error(diff)
	}
	c = Config{Contexts: []Context{{ID: want.Contexts[0].ID, AdminLogin: "x"}}}
	if c.FromPolicy(want); c.Contexts[0].AdminLogin != "x" {
		t.Error("FromPolicy lost the administrator")
	}
}

func TestProfile(t *testing.T) {
	t.Parallel()
	var c Config
	n := 0
	fill(reflect.ValueOf(&c.Export).Elem(), &n)
	c.Export.Delimiter = "\t"
	c.Export.Profile, c.Export.Described = "", nil
	p := reflect.ValueOf(*c.Profile())
	// Other fields of a profile can stand in a file of its own only.
	for _, name := range []string{
		"Source", "Delimiter", "Encoding", "Quoting", "Columns", "Optional", "DateFormat", "Roles", "Levels",
		"ClassOptional", "Files", "DeltaFiles", "RequiredFiles", "Trailer", "OpenEnd", "Strict",
	} {
		if p.FieldByName(name).IsZero() {
			t.Errorf("field %s of the profile is not set", name)
		}
	}
	if c.Profile().Delimiter != '\t' {
		t.Errorf("delimiter %q", c.Profile().Delimiter)
	}
}

// A profile comes along with package escada, or stands in a file beside the config.
func TestProfileByName(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	text, err := escada.StarterText("sds-2.1")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "ours.toml"), text, 0o600); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "district.toml")
	for profile, follows := range map[string]string{"oneroster-1.1": "1EdTech", "ours.toml": "Microsoft"} {
		c := small()
		c.Export = Export{Dir: "export", Profile: profile}
		if err := WriteFile(file, c); err != nil {
			t.Fatal(err)
		}
		if got := load(t, file).Profile(); !strings.HasPrefix(got.Follows, follows) || len(got.Layout) < 4 {
			t.Errorf("%s: %+v", profile, got)
		}
	}
	c := small()
	c.Sources = []Source{{Prefix: "hr-", Dir: "hr", Profile: "ours.toml",
		Roles: []schoolmail.Role{schoolmail.RoleTeacher}}}
	if err := WriteFile(file, c); err != nil {
		t.Fatal(err)
	}
	part := load(t, file).Parts()[0]
	if part.Prefix != "hr-" || part.Dir.Path != filepath.Join(dir, "hr") ||
		!strings.HasPrefix(part.Dir.Options.Profile.Follows, "Microsoft") {
		t.Errorf("%+v", part)
	}
	c.Sources = append(c.Sources, Source{Prefix: "hr-", Dir: "x"}, Source{})
	if err := WriteFile(file, c); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(file, nil); err == nil || !strings.Contains(err.Error(), "it is, or begins, that of source") ||
		!strings.Contains(err.Error(), "source[3].dir") {
		t.Errorf("sources that are not good: %v", err)
	}
	c = small()
	c.Export = Export{Dir: "export", Profile: "oneroster-1.1", Delimiter: ","}
	if err := WriteFile(file, c); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(file, nil); err == nil || !strings.Contains(err.Error(), "no other keys") {
		t.Errorf("a delimiter beside a profile: %v", err)
	}
}

func TestLoad(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "district.toml")
	if err := WriteFile(file, small()); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(file); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	c := load(t, file)
	if len(c.Warnings) != 0 || c.File != file {
		t.Errorf("%q: warnings %q", c.File, c.Warnings)
	}
	if want := filepath.Join(filepath.Dir(file), "export"); c.Export.Dir != want {
		t.Errorf("export in %q, want %q", c.Export.Dir, want)
	}
	p := c.Policy()
	if err := p.Validate(); err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff(schoolmail.Policy{}.WithDefaults().Guards, p.Guards); diff != "" {
		t.Errorf("guards that were left out:\n%s", diff)
	}
	if p.Contexts[0].Capacity != 8000 || p.Contexts[1].Capacity != 500 || p.Source != "escada" {
		t.Errorf("policy %+v", p)
	}
	// Another round changes nothing.
	again := filepath.Join(filepath.Dir(file), "again.toml")
	if err := WriteFile(again, c); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(c, load(t, again), cmpopts.IgnoreFields(Config{}, "File"), cmpopts.EquateEmpty()); diff != "" {
		t.Error(diff)
	}
}

func TestDatesAndLimits(t *testing.T) {
	t.Parallel()
	c := load(t, save(t, write(t, small())+`
[[term_change]]
from = "2027-08-02"
until = "2027-08-27"
`))
	if got := c.Policy().TermChanges[0]; got.From != schoolmail.NewDate(2027, 8, 2) ||
		got.Until != schoolmail.NewDate(2027, 8, 27) {
		t.Errorf("term change %+v", got)
	}
	// One limit set, even to zero: the others keep their defaults.
	c = load(t, save(t, strings.Replace(write(t, small()), "[guards.usual]\n",
		"[guards.usual]\npurges = { school_percent = 0, district_percent = 0, free = 0 }\n", 1)))
	def := schoolmail.Policy{}.WithDefaults().Guards
	if g := c.Policy().Guards; g.Usual.Purges != (schoolmail.Limit{}) || g.Usual.Leavers != def.Usual.Leavers ||
		g.TermChange != def.TermChange {
		t.Errorf("guards %+v", g)
	}
	if again := load(t, save(t, write(t, c))); !cmp.Equal(again.Policy(), c.Policy()) {
		t.Error("a limit of nothing at all was not written")
	}
}

func TestSecretFiles(t *testing.T) {
	t.Parallel()
	c := small()
	c.OX.MasterPassword, c.OX.MasterPasswordFile = "", "ox.secret"
	c.Contexts[1].AdminPassword, c.Contexts[1].AdminPasswordFile = "", "admin.secret"
	file := save(t, write(t, c))
	dir := filepath.Dir(file)
	for name, text := range map[string]string{"ox.secret": "geheim ü\r\n", "admin.secret": "x"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if runtime.GOOS != "windows" {
		if err := os.Chmod(filepath.Join(dir, "admin.secret"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got := load(t, file)
	if s := got.OX.MasterPassword.Reveal(); s != "geheim ü" {
		t.Errorf("secret %q", s)
	}
	if s := got.Contexts[1].AdminPassword.Reveal(); s != "x" {
		t.Errorf("secret %q", s)
	}
	if runtime.GOOS != "windows" && (len(got.Warnings) != 1 || !strings.Contains(got.Warnings[0],
		"admin.secret holds secrets and has mode 0644")) {
		t.Errorf("warnings %q", got.Warnings)
	}
}

func TestMistakes(t *testing.T) {
	t.Parallel()
	text := write(t, small())
	replace := func(pairs ...string) string {
		s := text
		for i := 0; i < len(pairs); i += 2 {
			if !strings.Contains(s, pairs[i]) {
				t.Fatalf("no %q in the config", pairs[i])
			}
			s = strings.Replace(s, pairs[i], pairs[i+1], 1)
		}
		return s
	}
	for _, tt := range []struct {
		name, text string
		want       []string // place, key and message; the place is checked apart
	}{
		{"unknown keys and sections", replace("[site]", "[site]\nnmae = \"x\"", "[state]", "[sate]\nx=1\n[state]\n"),
			[]string{
				`nmae = "x"|site.nmae: unknown key; is name meant?`,
				`[sate]|sate: unknown section; is site or state meant?`,
			}},
		{"syntax", replace("[site]", "[site]\nname = master-secret"), []string{`name = master-secret|: `}},
		{"type", replace("[site]", "[site]\nparallel = \"many\""),
			[]string{`parallel = "many"|site.parallel: expected a whole number`}},
		{"language of a school's page", text + "[[school]]\nid = \"ps-a\"\nlanguage = \"it\"\n",
			[]string{`language = "it"|school[1].language: "it": expected one of de, fr, en`}},
		{"date", text + "[[term_change]]\nfrom = \"1.2.2027\"\n",
			[]string{`from = "1.2.2027"|term_change[1].from: expected a day in quotes, as in "2027-08-02"`}},
		{"date as a number", text + "[[term_change]]\nfrom = 2027\n",
			[]string{`from = 2027|term_change[1].from: expected a day in quotes, as in "2027-08-02"`}},
		{"values", replace("[site]", "[site]\nlanguage = \"rm\"\nreport_language = \"it\"\nparallel = 5000",
			"[mail]",
			"[mail]\nlogin = \"uid\"\nquota_dict = \"proxy::quota\"\npassword = \"x\"", `addr = "127.0.0.1:25"`,
			`addr = "relay"`, `from = "it@`, `from = "IT <it@`), []string{
			`language = "rm"|site.language: "rm": expected one of de, fr, it, en`,
			`report_language = "it"|site.report_language: "it": expected one of de, fr, en`,
			`parallel = 5000|site.parallel: 5000: expected 1 to 1000`,
			`login = "uid"|mail.login: "uid": expected one of mail, username`,
			`quota_dict = |mail.quota_dict: expected mail.quota_mb beside it, the limit to set`,
			`api_key = "dovecot-secret"|mail.api_key: expected api_key (or api_key_file) or password (or password_file), one ` +
				`of them`,
			`addr = "relay"|notices.addr: "relay": expected host:port`,
			`from = "IT <it@|notices.from: "IT <it@example.org": expected a mail address alone`,
		}},
		{"mail to closed mailboxes", replace("[state]", "[[notices.at_end]]\nwhat = \"eat\"\n[[notices.at_end]]\n"+
			"what = \"answer\"\ndays = 181\npopulations = [\"cats\"]\n[state]"),
			[]string{
				`what = "eat"|notices.at_end[1].what: "eat": expected one of answer, forward, nothing`,
				`days = 181|notices.at_end[2].days: 181: expected days from 1 to life_cycle.purge_days, which are 180`,
				`populations = ["cats"]|notices.at_end[2].populations: "cats": expected the name of a [[population]]`,
			}},
		{"ways to write", replace("[directory]", "[directory]\nwrite = \"auto\"\nstamps = \"eat\"\nudm_url = \"ftp://x/\""),
			[]string{
				`[directory]|directory.udm_password: expected udm_user and a password, to write by UDM`,
				`stamps = "eat"|directory.stamps: expected hold or adopt`,
				`udm_url = "ftp://x/"|directory.udm_url: expected a URL, https://host or http://host`,
			}},
		{"another way to write", replace("[directory]", "[directory]\nwrite = \"fax\""), []string{
			`write = "fax"|directory.write: expected ldap, auto or udm`,
		}},
		{"URLs", replace("ldap://127.0.0.1:389", "127.0.0.1", "http://127.0.0.1:80/webservices", "https://x/ajax",
			"http://127.0.0.1:8080", "http://u:master-secret@127.0.0.1:8080"), []string{
			`url = "127.0.0.1"|directory.url: expected a URL, ldap://host or ldaps://host`,
			`soap_urls = ["https://x/ajax"]|ox.soap_urls: https://x/ajax: expected a path that ends in /webservices`,
			`doveadm_url = |mail.doveadm_url: expected a URL without user and password`,
		}},
		{"export", replace("[export]\n", "[export]\ndelimiter = \";;\"\noptional = [\"id\"]\n"), []string{
			`[export]|export: optional: column "id" cannot be optional`,
			`delimiter = ";;"|export.delimiter: expected one character`,
		}},
		{"policy", replace("contexts = [11]", "contexts = [12]", "capacity = 500", "capacity = 1", "[life_cycle]\n",
			"[life_cycle]\ntransfer_grace_days = 0\nnotice_days = 7\n", "[naming]\n", "[naming]\nmax_username = 100\n") +
			"[[term_change]]\nname = \"t\"\nfrom = \"2027-08-02\"\n[[override]]\nguard = \"all\"\n", []string{
			`[[context]]2|context[2]: context 21: capacity 1: expected at least 2 (the administrator takes one seat)`,
			`[[context]]2|context[2]: context 21: headroom 20: expected 0 to capacity-1`,
			`[[population]]|population[1]: population "teachers": context 12 is not declared`,
			`[naming]|naming: naming: max_pupil_username 15, max_username 100: expected 5 <= pupil <= user <= 64`,
			`[life_cycle]|life_cycle: life_cycle: notice_days 7: at least 56 are promised to leavers`,
			`transfer_grace_days = 0|life_cycle.transfer_grace_days: 0: expected a number of days, or -1`,
			`[[term_change]]|term_change[1]: term change "t": from "2027-08-02" until "": expected two days in order`,
			`[[override]]|override[1]: override number 1: guard "all": expected one of`,
			`[[override]]|override[1]: override number 1: by, reason and until must be given`,
		}},
		{"secrets", replace(`master_password = "master-secret"`,
			`master_password = "master-secret"`+"\nmaster_password_file = \"x\"", `api_key = "dovecot-secret"`,
			`api_key_file = "missing"`), []string{
			`master_password = |ox.master_password: given here and in ox.master_password_file: expected one of them`,
			`api_key_file = |mail.api_key_file: open `,
		}},
		{"certificates", replace("[ox]\n", "[ox]\nca_file = \"district.toml\"\n"),
			[]string{`ca_file = |ox.ca_file: certificates: `}},
		{"nothing", "", []string{
			"|export.dir: missing: expected the directory of the export files", "|directory.url: missing",
			"|ox.soap_urls: missing",
			"|ox.master_login: missing", "|ox.master_password: missing", "|mail.doveadm_url: missing",
			"|mail.api_key: expected", "|notices.addr: \"\": expected host:port",
			"|notices.from: \"\": expected", "|state.dir: missing",
			"|context: missing: expected at least one section [[context]]", "|no populations: nobody would get an account",
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			file := save(t, tt.text)
			_, err := Load(file, nil)
			errs, ok := errors.AsType[Errors](err)
			if !ok {
				t.Fatalf("error %v", err)
			}
			if strings.Contains(err.Error(), "-secret") {
				t.Errorf("a secret in the error: %v", err)
			}
			if len(errs) != len(tt.want) {
				t.Fatalf("%d mistakes, want %d:\n%v", len(errs), len(tt.want), err)
			}
			lines := strings.Split(tt.text, "\n")
			for i, e := range errs {
				at, message, _ := strings.Cut(tt.want[i], "|")
				if got := strings.TrimPrefix(fmt.Sprintf("%s: %s", e.Key, e.Message), ": "); !strings.HasPrefix(got,
					strings.TrimPrefix(message, ": ")) {
					t.Errorf("mistake %d is %q, want %q", i+1, got, message)
				}
				line := ""
				if e.Line > 0 {
					line = lines[e.Line-1]
				}
				head := at
				if strings.HasSuffix(at, "]]2") {
					head = at[:len(at)-1]
				}
				if !strings.HasPrefix(strings.TrimSpace(line), head) || (head == "") != (e.Line == 0) {
					t.Errorf("mistake %d (%s) is said to be in line %d, %q; want %q", i+1, message, e.Line, line, at)
				}
				if head != at && strings.Count(strings.Join(lines[:e.Line], "\n"), head) != 2 {
					t.Errorf("mistake %d is not in the second section %s", i+1, head)
				}
				if want := fmt.Sprintf("%s:%d", file, e.Line); e.Line > 0 && !strings.HasPrefix(e.Error(), want) {
					t.Errorf("%q does not begin with %q", e, want)
				}
			}
		})
	}
	if _, err := Load(filepath.Join(t.TempDir(), "no.toml"), nil); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
}

// A file from before there was one for all programs is told with the new places of
// its keys; a mistake in a section of another program hinders nobody.
func TestProgramsReadTheirOwn(t *testing.T) {
	t.Parallel()
	for old, now := range map[string]string{
		"[smtp]\naddr = 'x:25'\n":    "1:2: smtp: is now [notices]",
		"[dovecot]\n":                "1:2: dovecot: is now [mail]",
		"[ldap]\nurl = 'ldap://x'\n": "1:2: ldap: is now [directory]",
		"[ox]\nurl = 'http://x'\n":   "2:1: ox.url: is now http_url in [ox]",
		"http_url = 'http://x'\n":    "1:1: http_url: is now http_url in [ox]",
		"[[context]]\ncontrol = { login = '' }": "2:1: context[1].control: is now admin_login and admin_password in " +
			"[[context]]",
		"wave = 'pilot'\n": "1:1: wave: is now wave in [migrate]",
		"[[window]]\n":     "1:3: window: is now [[migrate.window]]",
	} {
		_, err := Load(save(t, old), nil)
		if err == nil || !strings.Contains(err.Error(), "district.toml:"+now) {
			t.Errorf("%q: %v, want %q", old, err, now)
		}
	}
	file := save(t, "[migrate]\nwave = 5\nnonsense = true\n[mail]\nlogin = 'both'\n[galprobe]\nbook = 'x'\n"+
		"[ox]\nhttp_url = 'https://x/ajax/'\n[[context]]\nid = 1\nadmin_login = 'a'\nadmin_password = 'a'\n"+
		"probe = [{ role = 'pupil', login = 'p', password = 'p' }]\n")
	c, err := Load(file, &Options{Program: Galprobe})
	if err != nil || c.Galprobe.Book != "x" || len(c.Contexts) != 1 {
		t.Errorf("galprobe: %+v, %v", c, err)
	}
	if _, err := Load(file, &Options{Program: Migrate}); err == nil || strings.Contains(err.Error(), "mail.") ||
		!strings.Contains(err.Error(), "3:1: migrate.nonsense: unknown key") ||
		!strings.Contains(err.Error(), "2:1: migrate.wave: expected a text in quotes") {
		t.Errorf("migrate: %v", err)
	}
}

// What a program brings along need not be in its file; what is there all the same is checked.
func TestWithout(t *testing.T) {
	t.Parallel()
	text := write(t, small())
	a, b := strings.Index(text, "[notices]"), strings.Index(text, "[state]")
	opts := &Options{Program: Provision, Without: []string{"notices"}}
	if _, err := Load(save(t, text[:a]+text[b:]), opts); err != nil {
		t.Errorf("without notices: %v", err)
	}
	if _, err := Load(save(t, text[:a]+text[b:]), &Options{Program: Provision}); err == nil {
		t.Error("a file without notices is taken by a program that has none of its own")
	}
	wrong := strings.Replace(text, `addr = "127.0.0.1:25"`, `addr = "relay"`, 1)
	if _, err := Load(save(t, wrong), opts); err == nil || !strings.Contains(err.Error(), "notices.addr") {
		t.Errorf("a mistake in notices that are not needed: %v", err)
	}
}

// Long lists may stand in files of their own, whose mistakes are told with their names.
func TestListFiles(t *testing.T) {
	t.Parallel()
	text := "\ufeff" + strings.Replace(write(t, small()), "[site]\n", "[site]\nlist_files = [\"links.toml\"]\n", 1)
	file := save(t, text)
	links := filepath.Join(filepath.Dir(file), "links.toml")
	put := func(text string) {
		if err := os.WriteFile(links, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	put("\ufeff[[link]]\nold = '1'\nnew = '2'\nby = 'A'\nreason = 'r'\n[[distinct]]\na = '3'\nb = '4'\nby = 'A'\n" +
		"reason = 'r'\n")
	if c := load(t, file); len(c.Policy().Links) != 1 || c.Policy().Distinct[0].B != "4" {
		t.Errorf("links %+v, distinct %+v", c.Policy().Links, c.Policy().Distinct)
	}
	for wrong, want := range map[string]string{
		"[[link]]\nodl = '1'\n": "links.toml:2:1: link[1].odl: unknown key; is old meant?",
		"[site]\nname = 'x'\n":  "links.toml:1:2: site: expected only sections",
		"[[link]\n":             "links.toml:1:",
	} {
		put(wrong)
		if _, err := Load(file, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", wrong, err, want)
		}
	}
	if err := os.Remove(links); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(file, nil); err == nil || !strings.Contains(err.Error(), "site.list_files: open ") {
		t.Errorf("no such file: %v", err)
	}
}

func TestLineIndex(t *testing.T) {
	t.Parallel()
	got := lineIndex([]byte("a = 1\n[b]\nc.d = '''\n[x]\n'''\n[[e]]\nf = [\n1]\n[[e]]\nf=2\n[e.g]\nh=1\n[[e.i]]\n" +
		"  j = 1\n[[e.i]]\n"))
	want := map[string]place{
		"a": {1, 1}, "b": {2, 2}, "b.c.d": {3, 1}, "e[1]": {6, 3}, "e[1].f": {7, 1}, "e[2]": {9, 3}, "e[2].f": {10, 1},
		"e[2].g": {11, 2}, "e[2].g.h": {12, 1}, "e[2].i[1]": {13, 3}, "e[2].i[1].j": {14, 3}, "e[2].i[2]": {15, 3},
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(place{})); diff != "" {
		t.Error(diff)
	}
}

func FuzzLoad(f *testing.F) {
	var b bytes.Buffer
	if err := Write(&b, small()); err != nil {
		f.Fatal(err)
	}
	f.Add(b.String())
	f.Add("[[context]]\nid = 1\n[context.x]\n")
	f.Add("a.b.c = {d = [1, {e = 2}]}\n[[a]]\n")
	f.Fuzz(func(t *testing.T, text string) {
		lines := strings.Count(text, "\n") + 1
		c, err := parse("x", []byte(text))
		if errs, ok := errors.AsType[Errors](err); ok {
			for _, e := range errs {
				if e.Line < 0 || e.Line > lines {
					t.Errorf("%v in a text of %d lines", e, lines)
				}
			}
		}
		if err != nil {
			return
		}
		for key, at := range lineIndex([]byte(text)) {
			if at.line < 1 || at.line > lines || key == "" {
				t.Errorf("key %q in line %d of %d", key, at.line, lines)
			}
		}
		if _, err := parse("x", []byte(write(t, c))); err != nil {
			t.Errorf("what was read is written so that it cannot be read: %v", err)
		}
	})
}

func ExampleWrite() {
	c := &Config{State: State{Dir: "state"}, Notices: Notices{Addr: "relay.example.org:25", From: "it@example.org"}}
	var b strings.Builder
	if err := Write(&b, c); err != nil {
		fmt.Println(err)
		return
	}
	for line := range strings.Lines(b.String()[strings.Index(b.String(), "[notices]"):]) {
		if line == "\n" {
			break
		}
		fmt.Print(line)
	}
	// Output:
	// [notices]
	// addr = "relay.example.org:25"   # host:port
	// from = "it@example.org"   # sender of the notices
	// # hello = ""   # our name in EHLO; empty: localhost
	// # username = ""   # empty: no authentication
	// # password = ""   # or password_file
	// # plaintext = false   # do not insist on STARTTLS; only for relays in the same network
	// # ca_file = ""   # certificates to trust (PEM); empty: the system's
	// # texts_dir = ""   # own texts, such as leaving-pupil-de.txt; empty: the shipped ones (de, fr, it, en)
	// # remind_days = [28, 7]   # days before the mailbox closes on which a leaver is told once more; []: never
}
