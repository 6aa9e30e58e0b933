package ucstest

import (
	_ "embed"
	"fmt"
	"slices"
	"strings"
	"sync"
)

//go:embed schema/standard.schema
var standardSchema string

//go:embed schema/ucs.schema
var ucsSchema string

// Schema returns the text of the schema file with the attribute types and
// object classes of UCS, UCS@school and Open-Xchange that this package
// enforces, in the format that OpenLDAP includes. A real slapd loads it after
// core, cosine, nis and inetorgperson.
func Schema() string { return ucsSchema }

// attrType is an attribute type.
type attrType struct {
	oid         string
	name        string // first name, in the spelling of the schema
	lower       string
	names       []string
	equality    rule
	substr      bool
	ordering    bool
	syntax      string
	single      bool
	operational bool
	indexed     bool
	def         string
	// plain is the type without options, of one that has some, such as
	// description;lang-de; else nil.
	plain *attrType
}

// base is the type without options.
func (at *attrType) base() *attrType {
	if at.plain != nil {
		return at.plain
	}
	return at
}

// options are what may stand behind the name of an attribute on UCS.
var options = []string{"lang-", "entry-"}

// withOptions returns the type of an attribute with options; nil if there is no such
// attribute or option.
func (s *schema) withOptions(lower string) *attrType {
	name, tags, _ := strings.Cut(lower, ";")
	at := s.attrs[name]
	if at == nil || at.operational {
		return nil
	}
	if t, ok := s.tagged.Load(lower); ok {
		return t.(*attrType)
	}
	for tag := range strings.SplitSeq(tags, ";") {
		if !slices.ContainsFunc(options, func(o string) bool { return strings.HasPrefix(tag, o) && len(tag) > len(o) }) {
			return nil
		}
	}
	t := *at
	t.name, t.lower, t.plain, t.indexed = at.name+";"+tags, lower, at, false
	kept, _ := s.tagged.LoadOrStore(lower, &t)
	s.isTagged.Store(at, true)
	return kept.(*attrType)
}

type classKind int

const (
	structural classKind = iota
	auxiliary
	abstract
)

// objectClass is an object class.
type objectClass struct {
	oid   string
	name  string
	names []string
	sup   []string
	kind  classKind
	must  []*attrType
	may   []*attrType
	def   string
}

// schema keeps attribute types and object classes apart: UCS@school uses one
// name, and one OID, in both.
type schema struct {
	tagged   sync.Map             // attributes with options that were asked for, by their names
	isTagged sync.Map             // their types without options
	attrs    map[string]*attrType // by lower-case name and by OID
	classes  map[string]*objectClass
	// classOIDs is apart from classes by name, see above.
	classOIDs map[string]*objectClass
	// supers maps a lower-case class name to itself and all its super
	// classes, lower case.
	supers map[string][]string
}

// newSchema parses schema files in order.
func newSchema(files ...string) (*schema, error) {
	s := &schema{attrs: map[string]*attrType{}, classes: map[string]*objectClass{}, classOIDs: map[string]*objectClass{}}
	for _, f := range files {
		if err := s.load(f); err != nil {
			return nil, err
		}
	}
	s.supers = map[string][]string{}
	for n, c := range s.classes {
		s.supers[n] = s.chain(c, nil)
	}
	return s, nil
}

func (s *schema) chain(c *objectClass, seen []string) []string {
	n := strings.ToLower(c.name)
	if slices.Contains(seen, n) {
		return seen
	}
	seen = append(seen, n)
	for _, sup := range c.sup {
		if sc := s.classes[sup]; sc != nil {
			seen = s.chain(sc, seen)
		}
	}
	return seen
}

// attr finds an attribute type by description; the only option known is
// ";binary".
func (s *schema) attr(desc string) *attrType {
	if at := s.attrs[desc]; at != nil {
		return at
	}
	n := strings.ToLower(desc)
	n = strings.TrimSuffix(n, ";binary")
	if strings.Contains(n, ";") {
		return s.withOptions(n)
	}
	return s.attrs[n]
}

func (s *schema) class(name string) *objectClass { return s.classes[strings.ToLower(name)] }

// load reads one file: comments, attributetype, objectclass and
// objectIdentifier statements (the macros that vendors' files use). Anything
// else is an error.
func (s *schema) load(text string) error {
	macros := map[string]string{}
	oid := func(o string) string {
		if m, rest, ok := strings.Cut(o, ":"); ok {
			return macros[strings.ToLower(m)] + "." + rest
		}
		if m, ok := macros[strings.ToLower(o)]; ok {
			return m
		}
		return o
	}
	for _, st := range statements(text) {
		word, rest, _ := strings.Cut(strings.TrimSpace(st.text), " ")
		switch strings.ToLower(word) {
		case "objectidentifier":
			f := strings.Fields(rest)
			if len(f) != 2 {
				return fmt.Errorf("schema line %d: objectIdentifier wants a name and an OID", st.line)
			}
			macros[strings.ToLower(f[0])] = oid(f[1])
		case "attributetype", "objectclass":
			d, err := parseDefinition(rest)
			if err != nil {
				return fmt.Errorf("schema line %d: %w", st.line, err)
			}
			d.oid = oid(d.oid)
			if strings.EqualFold(word, "attributetype") {
				err = s.addAttr(d)
			} else {
				err = s.addClass(d)
			}
			if err != nil {
				return fmt.Errorf("schema line %d: %w", st.line, err)
			}
		default:
			return fmt.Errorf("schema line %d: unknown statement %q", st.line, word)
		}
	}
	return nil
}

type statement struct {
	line int
	text string
}

// statements splits a file: a line that begins with white space continues the
// one before.
func statements(text string) []statement {
	var out []statement
	for i, l := range strings.Split(text, "\n") {
		l = strings.TrimRight(l, "\r")
		if strings.HasPrefix(l, "#") || strings.TrimSpace(l) == "" {
			continue
		}
		flat := strings.ReplaceAll(l, "\t", " ")
		if (l[0] == ' ' || l[0] == '\t') && len(out) > 0 {
			out[len(out)-1].text += flat
			continue
		}
		out = append(out, statement{i + 1, flat})
	}
	return out
}

// definition is what stands between the parentheses: the OID and keywords
// with their words.
type definition struct {
	oid  string
	key  map[string][]string
	text string
}

// flags are the keywords that take no argument.
var flags = []string{"SINGLE-VALUE", "COLLECTIVE", "NO-USER-MODIFICATION", "OBSOLETE", "ABSTRACT", "STRUCTURAL",
	"AUXILIARY"}

func parseDefinition(text string) (definition, error) {
	d := definition{key: map[string][]string{}, text: strings.Join(strings.Fields(text), " ")}
	toks, err := tokens(text)
	if err != nil {
		return d, err
	}
	if len(toks) < 3 || toks[0] != "(" {
		return d, fmt.Errorf("definition does not start with a parenthesis")
	}
	d.oid = toks[1]
	i := 2
	for i < len(toks) {
		if toks[i] == ")" {
			return d, nil // slapd, too, ignores what follows
		}
		k := strings.ToUpper(toks[i])
		i++
		if slices.Contains(flags, k) {
			d.key[k] = []string{}
			continue
		}
		if i >= len(toks) {
			break
		}
		if toks[i] != "(" {
			d.key[k] = []string{toks[i]}
			i++
			continue
		}
		words := []string{}
		for i++; i < len(toks) && toks[i] != ")"; i++ {
			if toks[i] != "$" {
				words = append(words, toks[i])
			}
		}
		i++
		d.key[k] = words
	}
	return d, fmt.Errorf("definition %s is not closed", d.oid)
}

func tokens(text string) ([]string, error) {
	var out []string
	for i := 0; i < len(text); {
		switch c := text[i]; {
		case c == ' ' || c == '\t':
			i++
		case c == '(' || c == ')' || c == '$':
			out = append(out, string(c))
			i++
		case c == '\'':
			end := strings.IndexByte(text[i+1:], '\'')
			if end < 0 {
				return nil, fmt.Errorf("quote is not closed")
			}
			out = append(out, text[i+1:i+1+end])
			i += end + 2
		default:
			end := strings.IndexAny(text[i:], " \t()$'")
			if end < 0 {
				end = len(text) - i
			}
			if end == 0 {
				end = 1
			}
			out = append(out, text[i:i+end])
			i += end
		}
	}
	return out, nil
}

func (d definition) has(k string) bool { _, ok := d.key[k]; return ok }

func (d definition) first(k string) string {
	if v := d.key[k]; len(v) > 0 {
		return v[0]
	}
	return ""
}

func (s *schema) addAttr(d definition) error {
	if len(d.key["NAME"]) == 0 {
		return fmt.Errorf("attribute type %s has no name", d.oid)
	}
	at := &attrType{oid: d.oid, names: d.key["NAME"], def: d.text}
	at.name = at.names[0]
	at.lower = strings.ToLower(at.name)
	if sup := d.first("SUP"); sup != "" {
		p := s.attrs[strings.ToLower(sup)]
		if p == nil {
			return fmt.Errorf("attribute type %s: unknown super type %s", at.name, sup)
		}
		at.equality, at.substr, at.ordering, at.syntax = p.equality, p.substr, p.ordering, p.syntax
	}
	if e := d.first("EQUALITY"); e != "" {
		r, ok := ruleByName(e)
		if !ok {
			return fmt.Errorf("attribute type %s: unknown matching rule %s", at.name, e)
		}
		at.equality = r
	}
	if d.has("SUBSTR") {
		at.substr = true
	}
	if d.has("ORDERING") {
		at.ordering = true
	}
	if sx := d.first("SYNTAX"); sx != "" {
		at.syntax, _, _ = strings.Cut(sx, "{")
	}
	at.single = d.has("SINGLE-VALUE")
	at.operational = d.has("NO-USER-MODIFICATION") || strings.EqualFold(d.first("USAGE"), "directoryOperation")
	at.indexed = indexed[at.lower]
	for _, n := range at.names {
		l := strings.ToLower(n)
		if s.attrs[l] != nil {
			return fmt.Errorf("attribute type %s is defined twice", n)
		}
		s.attrs[l] = at
		s.attrs[n] = at // spares lower-casing the usual spelling
	}
	s.attrs[at.oid] = at
	return nil
}

func (s *schema) addClass(d definition) error {
	if len(d.key["NAME"]) == 0 {
		return fmt.Errorf("object class %s has no name", d.oid)
	}
	c := &objectClass{oid: d.oid, names: d.key["NAME"], def: d.text}
	c.name = c.names[0]
	switch {
	case d.has("AUXILIARY"):
		c.kind = auxiliary
	case d.has("ABSTRACT"):
		c.kind = abstract
	}
	for _, sup := range d.key["SUP"] {
		l := strings.ToLower(sup)
		if s.classes[l] == nil {
			return fmt.Errorf("object class %s: unknown super class %s", c.name, sup)
		}
		c.sup = append(c.sup, l)
	}
	for _, k := range []string{"MUST", "MAY"} {
		for _, n := range d.key[k] {
			at := s.attr(n)
			if at == nil {
				return fmt.Errorf("object class %s: unknown attribute type %s", c.name, n)
			}
			if k == "MUST" {
				c.must = append(c.must, at)
			} else {
				c.may = append(c.may, at)
			}
		}
	}
	for _, n := range c.names {
		s.classes[strings.ToLower(n)] = c
	}
	s.classOIDs[c.oid] = c
	return nil
}

// indexed are the attributes with an equality index. Searches for anything
// else scan the tree, as they do on UCS.
var indexed = map[string]bool{
	"objectclass": true, "uid": true, "cn": true, "ou": true, "dc": true, "uniquemember": true,
	"memberuid": true, "mail": true, "mailprimaryaddress": true, "mailalternativeaddress": true,
	"uidnumber": true, "gidnumber": true, "entryuuid": true, "ucsschoolrecorduid": true,
	"ucsschoolsourceuid": true, "ucsschoolschool": true, "ucsschoolrole": true, "sambasid": true,
	"univentionobjecttype": true, "krb5principalname": true, "univentionobjectidentifier": true,
}
