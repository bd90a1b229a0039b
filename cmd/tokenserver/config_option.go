package main

import (
	"fmt"
	"net/netip"
	"reflect"
	"strconv"
	"strings"
	"time"
)

const envPrefix = "TOKENSERVER_"

// option is one leaf of the configuration.
type option struct {
	path  string // for example "redis.password_file"
	doc   string
	value reflect.Value // of the field
}

// options lists the leaves of c in their order. Setting one changes c.
func options(c *Config) []option {
	return leaves(nil, "", reflect.ValueOf(c).Elem())
}

func leaves(all []option, prefix string, of reflect.Value) []option {
	for i := range of.NumField() {
		field, value := of.Type().Field(i), of.Field(i)
		path := prefix + field.Tag.Get("yaml")
		if doc := field.Tag.Get("doc"); doc != "" {
			all = append(all, option{path, doc, value})
			continue
		}
		all = leaves(all, path+".", value)
	}
	return all
}

// env is the variable that sets the option.
func (o option) env() string {
	return envPrefix + strings.ToUpper(strings.ReplaceAll(o.path, ".", "_"))
}

// flag is the name of the flag that sets the option, "" for a secret: everybody on the machine can read flags.
func (o option) flag() string {
	if o.secret() {
		return ""
	}
	return strings.NewReplacer(".", "-", "_", "-").Replace(o.path)
}

func (o option) secret() bool {
	_, is := o.value.Interface().(Secret)
	return is
}

func (o option) list() bool { return o.value.Kind() == reflect.Slice }

// set gives the option a value as text; lists have commas between their values.
func (o option) set(text string) error {
	if !o.list() {
		return o.setList([]string{text})
	}
	var values []string
	for part := range strings.SplitSeq(text, ",") {
		if part = strings.TrimSpace(part); part != "" {
			values = append(values, part)
		}
	}
	return o.setList(values)
}

// setList gives the option its values, exactly one unless it is a list.
func (o option) setList(values []string) error {
	if !o.list() && len(values) != 1 {
		return fmt.Errorf("want one value, not a list")
	}
	switch field := o.value.Addr().Interface().(type) {
	case *Secret:
		field.clear = values[0]
	case *DSN:
		field.text = values[0]
	case *time.Duration:
		d, err := time.ParseDuration(values[0])
		if err != nil {
			return fmt.Errorf("%q is no duration: want a number with its unit, such as 30s, 5m or 1h", values[0])
		}
		*field = d
	case *bool:
		b, err := strconv.ParseBool(values[0])
		if err != nil {
			return fmt.Errorf("%q is neither true nor false", values[0])
		}
		*field = b
	case *int:
		n, err := strconv.Atoi(values[0])
		if err != nil {
			return fmt.Errorf("%q is no whole number", values[0])
		}
		*field = n
	case *[]string:
		*field = values
	case *[]netip.Prefix:
		return setNetworks(field, values)
	default:
		o.value.SetString(values[0]) // a string, or a word of a fixed set
	}
	return nil
}

// setNetworks accepts networks such as 10.0.0.0/8 and single addresses.
func setNetworks(field *[]netip.Prefix, values []string) error {
	networks := make([]netip.Prefix, 0, len(values))
	for _, text := range values {
		network, err := netip.ParsePrefix(text)
		if err != nil {
			address, err := netip.ParseAddr(text)
			if err != nil {
				return fmt.Errorf("%q is no network: want one such as 10.0.0.0/8 or 127.0.0.1", text)
			}
			network = netip.PrefixFrom(address, address.BitLen())
		}
		networks = append(networks, network.Masked())
	}
	*field = networks
	return nil
}

// show returns the value as set reads it, secrets redacted.
func (o option) show() string {
	if !o.list() {
		return fmt.Sprint(o.value.Interface())
	}
	return strings.Join(o.showList(), ",")
}

func (o option) showList() []string {
	values := make([]string, o.value.Len())
	for i := range values {
		values[i] = fmt.Sprint(o.value.Index(i).Interface())
	}
	return values
}
