package ox

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/ox/internal/oxcontext"
)

// Context is a context as OX has it.
type Context struct {
	ID      schoolmail.ContextID
	Name    string
	Enabled bool // false: nobody can log in; provisioning goes on
	// LoginMappings are the names under which the context is found at login,
	// sorted, without the id, which is always one.
	LoginMappings []string
	MaxQuota      int64 // MB; [Unlimited]
	UsedQuota     int64 // MB
	AverageSize   int64 // MB, the server's AVERAGE_CONTEXT_SIZE
	FilestoreID   int
	FilestoreName string
	Attributes    Attributes
	ReadDatabase  Schema
	WriteDatabase Schema
	GABMode       string // never filled in by the server's answers but the one to create
}

// Schema is where a context's data lies: a database pool and a schema in it.
type Schema struct {
	Pool int
	Name string
}

// NewContext is a context to be created.
type NewContext struct {
	ID            schoolmail.ContextID // chosen by the caller; > 0
	Name          string               // letters, digits and [$%.+_-]; the id if empty
	MaxQuota      int64                // MB; 0 means [Unlimited]
	LoginMappings []string             // besides the id and the name
	FilestoreID   int                  // 0: chosen by the server
	Attributes    map[string]map[string]string
	// GABMode is how the permissions of the global address book are kept:
	// "individual" (the default) or "global". Needs OX 8.
	GABMode string
	// Schema names the database schema, or Strategy how it is chosen
	// ("automatic", "in-memory"); at most one of them.
	Schema, Strategy string
	// Admin becomes user 2. His access is what users get who are created without
	// one. Fields that OX knows for users only (file store, quota, Drive, ...) are refused.
	Admin NewUser
}

// ContextChange is what to write to a context: nil leaves unchanged.
type ContextChange struct {
	Name     *string
	MaxQuota *int64 // MB; [Unlimited]
	// LoginMappings replace all but the id; they cannot be emptied. If Name changes and they do not, the old
	// name is replaced by the new one, which OX does not do by itself.
	LoginMappings []string
	FilestoreID   *int // moves the pointer, not the files
	Attributes    AttributesChange
}

func contextFrom(g *oxcontext.Context) Context {
	out := Context{
		ID:            schoolmail.ContextID(val(g.Id)),
		Name:          val(g.Name),
		Enabled:       g.Enabled == nil || *g.Enabled,
		MaxQuota:      quota(g.MaxQuota),
		UsedQuota:     val(g.UsedQuota),
		AverageSize:   val(g.Average_size),
		FilestoreID:   int(val(g.FilestoreId)),
		FilestoreName: val(g.Filestore_name),
		ReadDatabase:  schemaFrom(g.ReadDatabase),
		WriteDatabase: schemaFrom(g.WriteDatabase),
		GABMode:       val(g.GabMode),
	}
	id := strconv.Itoa(int(out.ID))
	for _, m := range g.LoginMappings {
		if m != id {
			out.LoginMappings = append(out.LoginMappings, m)
		}
	}
	slices.Sort(out.LoginMappings)
	if g.UserAttributes != nil {
		out.Attributes = attributesFrom(g.UserAttributes)
	}
	return out
}

func schemaFrom(d *oxcontext.Database) Schema {
	if d == nil {
		return Schema{}
	}
	return Schema{Pool: int(val(d.Id)), Name: val(d.Scheme)}
}

func (n *NewContext) to() (*oxcontext.Context, error) {
	switch {
	case n.ID <= 0:
		return nil, fmt.Errorf("context id %d: expected a number above 0", n.ID)
	case n.Schema != "" && n.Strategy != "":
		return nil, fmt.Errorf("both Schema and Strategy are set")
	}
	maxQuota := n.MaxQuota
	set(&maxQuota, Unlimited)
	out := &oxcontext.Context{
		Id: number(n.ID), Name: text(n.Name), MaxQuota: &maxQuota, LoginMappings: n.LoginMappings,
		FilestoreId: number(n.FilestoreID), GabMode: text(n.GABMode),
	}
	if n.Attributes != nil {
		ch := make(AttributesChange)
		for space, keys := range n.Attributes {
			ch[space] = make(map[string]*string)
			for k, v := range keys {
				ch[space][k] = &v
			}
		}
		out.UserAttributes = attributesTo(ch)
	}
	return out, nil
}

func (n *NewContext) strategy() *oxcontext.SchemaSelectStrategy {
	if n.Schema == "" && n.Strategy == "" {
		return nil
	}
	return &oxcontext.SchemaSelectStrategy{Schema_name: text(n.Schema), Strategy: text(n.Strategy)}
}

// admin converts the administrator; the service's User has fewer fields.
func (n *NewContext) admin() (*oxcontext.User, error) {
	ch := n.Admin.change()
	u, err := recode[oxcontext.User](ch.to())
	if err != nil {
		return nil, fmt.Errorf("administrator: %w", err)
	}
	return u, nil
}

func (ch *ContextChange) to(id schoolmail.ContextID) *oxcontext.Context {
	out := &oxcontext.Context{
		Id: number(id), Name: ch.Name, MaxQuota: ch.MaxQuota, LoginMappings: ch.LoginMappings,
		FilestoreId: intTo(ch.FilestoreID),
	}
	out.UserAttributes = attributesTo(ch.Attributes)
	return out
}
