package main

import (
	"os"
	"strconv"
	"strings"
	"time"
)

// cpuOf returns user and system time of a process, and of all its children when tree is set, from /proc. PostgreSQL
// works in children of the postmaster; those that have ended count in it.
func cpuOf(pid int, tree bool) time.Duration {
	total := ticksOf(pid, true)
	if tree {
		for _, child := range childrenOf(pid) {
			total += ticksOf(child, false)
		}
	}
	const ticksPerSecond = 100 // USER_HZ on Linux
	return time.Duration(total) * time.Second / ticksPerSecond
}

// statFields returns the fields of /proc/PID/stat after the command's name, which may hold blanks.
func statFields(pid int) []string {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return nil
	}
	return strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
}

func ticksOf(pid int, ended bool) int64 {
	const utime, stime, cutime, cstime = 11, 12, 13, 14
	fields := statFields(pid)
	if len(fields) <= cstime {
		return 0
	}
	sum := number(fields[utime]) + number(fields[stime])
	if ended {
		sum += number(fields[cutime]) + number(fields[cstime])
	}
	return sum
}

func childrenOf(pid int) []int {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	var children []int
	for _, e := range entries {
		child, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		if fields := statFields(child); len(fields) > 1 && number(fields[1]) == int64(pid) {
			children = append(children, child)
		}
	}
	return children
}

// residentMiB returns the resident memory of a process.
func residentMiB(pid int) float64 {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/statm")
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(text))
	if len(fields) < 2 {
		return 0
	}
	return float64(number(fields[1])) * float64(os.Getpagesize()) / (1 << 20)
}

func number(s string) int64 {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return 0
	}
	return n
}
