#!/bin/sh
for TAG in 24.01 24.02; do
sbatch <<-EOF
	#!/bin/bash
	#SBATCH --container-image=a/indented:1
	srun --container-image=nvcr.io#nvidia/pytorch:$TAG-py3 true
	IMG=a/own:1
	srun --container-image=\$IMG true
	EOF
done
cat <<'EOF' | sbatch
#!/bin/bash
#SBATCH --container-image=b/literal:1
srun --container-image=$IMG true
EOF
cat <<EOF > README
docker run no/text:1
EOF
ssh dgx01 <<'EOF'
docker pull over/ssh:1
EOF
bash <<< "docker pull here/string:1"
tee job.slurm <<EOF
srun --container-image=by/tee:1 true
EOF
cat > x.py <<EOF
docker run no/python:1
EOF
cat > no-suffix <<EOF
#!/bin/bash
docker run with/shebang:1
EOF
sbatch <<NEVER
#SBATCH --container-image=unended:1
srun --container-image=unended:2 true
