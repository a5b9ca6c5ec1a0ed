#!/usr/bin/env nextflow
nextflow.enable.dsl=2
params.image = 'nvcr.io/nvidia/clara/clara-parabricks:4.5.0-1'

process FASTQC {
    label 'process_medium'
    conda "bioconda::fastqc=0.12.1"
    container "${ workflow.containerEngine == 'singularity' && !task.ext.singularity_pull_docker_container ?
        'https://depot.galaxyproject.org/singularity/fastqc:0.12.1--hdfd78af_0' :
        'biocontainers/fastqc:0.12.1--hdfd78af_0' }"
    // container 'nvcr.io/comment/never:1'
    /* container 'nvcr.io/block/never:1'
     */
    script:
    """
    container 'nvcr.io/script/never:1'
    echo docker://nvcr.io/script/never:1
    """
}

process ALIGN { container 'docker://quay.io/biocontainers/bwa:0.7.17--hed695b0_7'; input: path x }
process A {
    container params.image
}
process B {
    container "${params.image}"
    if (task.container == 'never/one:1') { x() }
}
process C { container { "quay.io/org/${task.ext.name}:1" } }
process D {
    container 'community.wave.seqera.io/library/samtools:1.21--0d76da7c3cf7751c'
}
process E { container '/shared/images/local.sif' }
process F { container "$params.unknown" }

process G { container 'ubuntu:22.04' }
workflow { FASTQC() }
