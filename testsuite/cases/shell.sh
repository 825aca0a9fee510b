# Run by every shell among Debian's static packages, translated and under qemu-user.
set -u
i=0 s=0
while [ $i -lt 300 ]; do s=$((s + i * i % 7)); i=$((i + 1)); done
echo "sum $s"
depth() { if [ "$1" -le 1 ]; then echo 1; else echo $(($(depth $(($1 - 1))) + 1)); fi; }
echo "depth $(depth 4)"
echo hello | while read -r x; do echo "got $x"; done
for w in a b c; do
    case $w in
    a) echo A ;;
    [bc]) echo BC ;;
    esac
done
trap 'echo usr1' USR1
kill -USR1 $$
(exit 3)
echo "status $?"
x=$(echo sub)
echo "$x ${x#s} ${#x} ${y:-default} $((16 + 0x1f)) $((-7 / 2)) $((-7 % 3)) $((1 << 40))"
cat <<X
here $x
X
printf '%05d %x %s|%-5s|%c\n' 42 255 str ab xyz
sleep 0.05 &
wait $!
echo "waited $?"
echo "a b c" > words
read -r first rest < words
echo "$first,$rest"
echo w*
[ -f words ] && [ ! -d words ] && echo file
sh -c 'exit 9'
echo "sh $?"
{ sh -c 'kill -9 $$'; } 2> /dev/null
echo "killed $?"
cd / && pwd && cd "$OLDPWD"
set -- 1 2 3
shift
echo "$# $*"
eval 'echo "eval $1"'
exec 3> three
echo to three >&3
exec 3>&-
cat three
no_such_command 2> /dev/null
echo "missing $?"
f=$(seq 1 500 | sort -n -r | head -n 3 | tr '\n' ' ')
echo "$f"
IFS=:
for p in a:b:c; do echo $p; done
p=x:y:z
for q in $p; do echo "$q"; done
yes | head -n 2
(
    trap 'echo bye' EXIT
    echo in
)
umask 027
: > masked
ls -l masked | cut -c1-10
wait
exit 5
